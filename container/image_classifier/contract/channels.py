"""The input channels of a training job."""

from dataclasses import dataclass

from image_classifier.contract.payload_types import IMAGE_TYPES

FOLDER_PER_CLASS = IMAGE_TYPES
MODEL_ARCHIVE = ("application/x-sagemaker-model", "application/x-tar", "application/gzip")
"""The first is what the SageMaker SDK sends with `model_uri` (sagemaker-python-sdk v2, src/sagemaker/job.py)."""


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One folder below `/opt/ml/input/data`."""

    name: str
    required: bool
    content_types: tuple[str, ...]
    input_modes: tuple[str, ...] = ("File", "FastFile")
    """Pipe mode is unsupported: a stream has no folders, and the folders name the classes."""
    meaning: str


CHANNELS = (
    Channel(
        name="training",
        required=True,
        content_types=FOLDER_PER_CLASS,
        meaning="Training images: one folder per class, whose names are the class names; or a manifest of them.",
    ),
    Channel(
        name="validation",
        required=False,
        content_types=FOLDER_PER_CLASS,
        meaning="Validation images for model selection, in the layout of training; default: a split of training.",
    ),
    Channel(
        name="test",
        required=False,
        content_types=FOLDER_PER_CLASS,
        meaning="Test images, evaluated once after training, in the layout of training.",
    ),
    Channel(
        name="model",
        required=False,
        content_types=MODEL_ARCHIVE,
        meaning="The model to start from, as one packed tar.gz; default: the one that model_uri or model_id names.",
    ),
)
