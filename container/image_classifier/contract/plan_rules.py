"""Thresholds by which a job plans its work; who estimates a job's duration needs them without the job."""

from collections.abc import Collection

OPENVINO_IMAGES = 600
"""Images per host from which converting to OpenVINO saves time; measured in docs/decisions/0010-feature-pass.md."""
TUNED_CLASS_IMAGES = 20
"""Training images of a class below which it is rare."""
RARE_PART = 10
"""recipe=auto tunes the network where no more than one of so many training images is of a rare class."""
CPU_TUNING_SECONDS, GPU_TUNING_SECONDS = 600.0, 1800.0
"""Longest tuning of recipe=auto without max_runtime, on CPUs alone and with a GPU."""


def smallest_class(counts: Collection[int]) -> int:
    """Return the images of the smallest class that counts, from the training images of each class; 0 without any.

    The smallest classes that hold one image in `RARE_PART` or fewer, together, do not: one rare class among many images
    says little about whether the others suffice to tune a network.
    """
    rare = 0
    for count in sorted(counts):
        rare += count
        if RARE_PART * rare > sum(counts):
            return count
    return 0
