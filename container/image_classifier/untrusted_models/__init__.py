"""Untrusted SavedModels: the operations they may contain, and the only place where they are loaded.

A SavedModel is a program. This is a filter, not a sandbox: it rejects operations that reach files, the network, devices
or Python, but does not limit the cost of the allowed ones. Start reading at loader.py.
"""
