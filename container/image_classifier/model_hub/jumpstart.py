"""Locations of JumpStart's models and data: one bucket per region, with the same keys.

The keys come from the SageMaker SDK's model specifications and from AWS's example notebooks.
"""

from dataclasses import dataclass, field

from image_classifier.cloud.s3 import Access, Location

DEFAULT_REGION = "us-east-1"
FLOWERS = "training-datasets/tf_flowers/"
_TRAINING = "tensorflow-training/v3.0.0/train-{model_id}.tar.gz"
_HOSTING = "tensorflow-ic/{model_id}/artifacts/inference/v3.0.0/"


@dataclass(frozen=True)
class Bucket:
    """A bucket and how to access it."""

    name: str | None = None
    """None: the public one of the region, `jumpstart-cache-prod-<region>`."""
    access: Access = field(default_factory=Access)

    def at(self, key: str) -> Location:
        """Return the location of a key."""
        return Location(self.name or f"jumpstart-cache-prod-{self.access.region or DEFAULT_REGION}", key)


def artefact(bucket: Bucket, model_id: str, with_head: bool) -> Location:
    """Return the location of a model: the training artefact (features), or the folder of the one with the head."""
    return bucket.at((_HOSTING if with_head else _TRAINING).format(model_id=model_id))
