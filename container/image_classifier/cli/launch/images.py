"""The images of a job on SageMaker, listed here first: a mistake in them would cost the start of an instance."""

from pathlib import Path

from image_classifier.class_folders import channel_listing
from image_classifier.runners import experiment
from image_classifier.runners.experiment import Experiment


def check(asked_for: Experiment) -> None:
    """List the channels that are folders of this machine, by names alone, as the job will.

    Raises:
        UserError: A channel has no images, fewer than two classes, or classes that the training channel lacks.
        PlatformError: A folder cannot be read.
    """
    class_names = None
    for name, address in asked_for.channels.items():
        # What is not a folder is reported with the other options.
        if experiment.is_address(address) or not Path(address).is_dir():
            if name == "training":
                return
            continue
        listing = channel_listing.list_channel(Path(address), name, class_names)
        class_names = class_names or listing.class_names
