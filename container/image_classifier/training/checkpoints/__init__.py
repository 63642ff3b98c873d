"""Checkpoints: written atomically with checksums, verified when read."""
