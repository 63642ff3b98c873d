"""From a socket to a whole request that has a place: start reading at front.py."""
