"""What runs the network: one engine a file."""
