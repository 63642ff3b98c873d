"""Sources of backbones, and their conversion to the archive of the model channel."""

from image_classifier import tensorflow_start

tensorflow_start.configure()
