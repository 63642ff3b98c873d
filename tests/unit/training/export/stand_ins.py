"""What stands for a training in tests of what follows it."""

from types import SimpleNamespace

from image_classifier.training.trained import Trained


class TrainedStandIn(SimpleNamespace):
    """Has the attributes that a test gives, and of `Trained` what follows from them."""

    is_refitted = Trained.is_refitted
