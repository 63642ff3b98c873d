"""Formats of request and response bodies and headers: start reading at codecs.py."""
