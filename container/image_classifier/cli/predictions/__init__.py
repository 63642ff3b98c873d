"""Answers of a server about the images that a user names: found, compared with their classes, summarised."""
