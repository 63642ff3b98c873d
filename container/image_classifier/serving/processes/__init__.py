"""The processes of a server, from their start to their end: start reading at startup.py."""
