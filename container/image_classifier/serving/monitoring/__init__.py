"""What is measured, counted and logged of requests: start reading at observation.py."""
