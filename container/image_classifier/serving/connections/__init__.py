"""From a socket to a complete request that holds a slot: start reading at connection_loop.py."""
