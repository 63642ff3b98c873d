"""The commands in scripts/, one module each."""
