"""The recipes beside hand-set modes: accuracy on held-out images, time and memory, paired by image and seed."""
