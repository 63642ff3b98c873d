"""Servers of models for as long as they are wanted: here, in Docker or on SageMaker, found again after a restart.

An endpoint is a folder with its record (`record.py`), the log, and what its kind needs. `servers.py` starts, watches
and stops endpoints of every kind; `local.py`, `docker.py` and `sagemaker.py` are the kinds.
"""
