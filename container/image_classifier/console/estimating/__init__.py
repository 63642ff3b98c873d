"""The estimate before the start: a job on 32 of the user's images, watched phase by phase, and what follows from it."""
