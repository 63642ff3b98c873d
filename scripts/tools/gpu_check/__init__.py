"""The check of an image, or of this environment, on a GPU."""
