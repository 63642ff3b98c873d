"""Accelerators, their libraries, and the precision that they compute in."""
