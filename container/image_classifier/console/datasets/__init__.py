"""Data sets of the console, without Flask: which are known, what lies in them, their labels, health and imports.

For other screens: `training_views.channels_for_training` returns the folders that a job trains on, `labels` reads and
edits the overlay, `known` lists the data sets.
"""

from image_classifier.console.datasets.training_views import channels_for_training, training_view

__all__ = ["channels_for_training", "training_view"]
