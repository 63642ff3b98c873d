"""Untrusted SavedModels: which operations they may contain, and the only place where they are loaded.

A SavedModel is a program. What is here is a filter, not a sandbox: it keeps out operations that reach files, the
network, devices or Python; it does not bound what the allowed ones cost. Start reading at loader.py.
"""
