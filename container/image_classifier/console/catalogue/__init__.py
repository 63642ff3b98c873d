"""The Models screen without Flask: which models are shown, where each is, staging, and speed on this machine."""
