"""What is done with a built image: publish it, list what is in it."""
