"""Where the jobs of the console can run."""

from collections.abc import Mapping
from types import MappingProxyType

from image_classifier.runners import docker, experiment, local, sagemaker
from image_classifier.runners.job import Runner


def available() -> Mapping[str, Runner]:
    """Return the runners by their names."""
    return MappingProxyType({experiment.LOCAL: local, experiment.DOCKER: docker, experiment.SAGEMAKER: sagemaker})
