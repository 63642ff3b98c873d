"""The platform on a laptop: what the scripts do without SageMaker and without Docker."""
