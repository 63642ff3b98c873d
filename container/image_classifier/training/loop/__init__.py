"""The training loop: steps, optimizers, learning rates, scoring and snapshots."""
