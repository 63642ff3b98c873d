"""The feature pass of a frozen backbone: every image once, kept on disk for resuming."""
