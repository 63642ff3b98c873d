"""Photos to train on, from packages whose licences allow it."""
