"""The input channels of a training job."""

from dataclasses import dataclass

FOLDER_PER_CLASS = ("application/x-image", "image/jpeg", "image/png", "image/webp", "image/bmp", "image/gif")
MODEL_ARCHIVE = ("application/x-sagemaker-model", "application/x-tar", "application/gzip")
"""The first is what the SageMaker SDK sends with `model_uri` (sagemaker-python-sdk v2, src/sagemaker/job.py)."""


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One folder below `/opt/ml/input/data`."""

    name: str
    required: bool
    content_types: tuple[str, ...]
    input_modes: tuple[str, ...] = ("File", "FastFile")
    """Pipe is left out: a stream has no folders, and the folders name the classes."""
    meaning: str


CHANNELS = (
    Channel(
        name="training",
        required=True,
        content_types=FOLDER_PER_CLASS,
        meaning="Images to train on: one folder a class, and the names of the folders are the class names.",
    ),
    Channel(
        name="validation",
        required=False,
        content_types=FOLDER_PER_CLASS,
        meaning="Images that choose the best epoch, laid out as training; without it a part of training is held out.",
    ),
    Channel(
        name="test",
        required=False,
        content_types=FOLDER_PER_CLASS,
        meaning="Images that are scored once, after training; laid out as training.",
    ),
    Channel(
        name="model",
        required=False,
        content_types=MODEL_ARCHIVE,
        meaning="The model to start from, one tar.gz that stays packed; without it model_uri or model_id names one.",
    ),
)
