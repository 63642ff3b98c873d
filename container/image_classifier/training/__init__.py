"""From folders of labelled images and a backbone to a verified model. Start reading at job.py."""

from image_classifier import tensorflow_start

tensorflow_start.configure()
