"""A training job on this machine: its folder, its state, what it wrote."""
