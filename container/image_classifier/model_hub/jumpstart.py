"""Where JumpStart keeps models and data: one bucket a region, with the same keys.

The keys are those of the SageMaker SDK's model specifications and of AWS's example notebooks.
"""

from dataclasses import dataclass, field

from image_classifier.cloud.s3 import Access, Location

DEFAULT_REGION = "us-east-1"
FLOWERS = "training-datasets/tf_flowers/"
_TRAINING = "tensorflow-training/v3.0.0/train-{model_id}.tar.gz"
_HOSTING = "tensorflow-ic/{model_id}/artifacts/inference/v3.0.0/"


@dataclass(frozen=True)
class Bucket:
    """Which bucket to ask, and how."""

    name: str | None = None
    """None: the public one of the region, `jumpstart-cache-prod-<region>`."""
    access: Access = field(default_factory=Access)

    def at(self, key: str) -> Location:
        """Return the location of a key."""
        return Location(self.name or f"jumpstart-cache-prod-{self.access.region or DEFAULT_REGION}", key)


def artefact(bucket: Bucket, model_id: str, with_head: bool) -> Location:
    """Return where a model is: the training artefact (features), or the hosting artefact (with the head), a folder."""
    return bucket.at((_HOSTING if with_head else _TRAINING).format(model_id=model_id))
