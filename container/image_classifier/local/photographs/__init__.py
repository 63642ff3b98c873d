"""Photographs to try things on, from where their owners offer them."""
