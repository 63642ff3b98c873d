"""Servers of models for as long as they are wanted: on this machine or in Docker, found again after a restart.

An endpoint is a folder with its record (`record.py`), the log, and what its kind needs. `servers.py` starts, watches
and stops endpoints of every kind; `local.py` and `docker.py` are the kinds.
"""
