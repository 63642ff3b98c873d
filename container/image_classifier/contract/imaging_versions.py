"""Versions of the pixels that an image becomes in `imaging`: a model is served with the one it was trained with."""

import platform

VERSIONS = (1, 2)
HAS_FAST_RESIZER = platform.machine() == "x86_64"
"""Whether the library of version 2 has a wheel for this machine, as docker/requirements-serve.in asks."""
VERSION = 2 if HAS_FAST_RESIZER else 1
"""What new models are trained with: where NumPy has to stand in for the library, version 1 is 12 times as fast."""
