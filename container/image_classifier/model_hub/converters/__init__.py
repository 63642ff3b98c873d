"""Converters from published weights to SavedModels, one a module."""
