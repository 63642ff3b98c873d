"""From a folder of labelled images and a backbone to a checked model. Start reading at job.py."""

from image_classifier import tensorflow_start

tensorflow_start.configure()
