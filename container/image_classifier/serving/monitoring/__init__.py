"""Metrics and access log: start reading at instrumentation.py."""
