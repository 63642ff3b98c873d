"""Versions of the pixels that an image becomes in `imaging`: a model is served with the one it was trained with."""

VERSIONS = (1, 2)
VERSION = VERSIONS[-1]
"""What new models are trained with."""
