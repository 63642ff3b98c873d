"""Tooling of the repository, which no image contains."""
