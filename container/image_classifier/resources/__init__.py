"""What the machine offers: memory, processors, garbage collection."""
