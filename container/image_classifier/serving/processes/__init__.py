"""The processes of a server from start to exit: start reading at startup.py."""
