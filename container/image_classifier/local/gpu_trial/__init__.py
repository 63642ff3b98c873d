"""The first owner's trial of a GPU."""
