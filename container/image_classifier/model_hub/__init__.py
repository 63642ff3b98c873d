"""Where backbones come from and how they become the model channel's archive."""

from image_classifier import tensorflow_start

tensorflow_start.configure()
