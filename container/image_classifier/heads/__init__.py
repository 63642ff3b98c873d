"""Linear heads on features, fitted by convex optimisation: NumPy and SciPy, for jobs and for the console."""
