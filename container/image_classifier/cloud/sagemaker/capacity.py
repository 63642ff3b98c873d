"""Instance types in the order in which they are tried while capacity or quota is missing, and for how long.

On-demand jobs give SageMaker the list of types, and it takes the first with capacity; the platform accepts no list for
spot instances, so that each type is a job of its own there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from image_classifier.cloud.sagemaker.option_reading import items
from image_classifier.cloud.sagemaker.options import TrainingOptions
from image_classifier.cloud.sagemaker.session import pause_before
from image_classifier.contract import durations


@dataclass(frozen=True)
class Attempts:
    """The attempts of a job."""

    variants: Sequence[TrainingOptions]
    """The job's options with the instance types of an attempt; the attempts cycle through them."""
    patience: float
    """Seconds, from the first shortage on, for rounds after the first one."""

    def variant(self, attempt: int) -> TrainingOptions:
        """Return the options of an attempt, which are counted from 0."""
        return self.variants[attempt % len(self.variants)]

    def pause_before(self, attempt: int, waited: float) -> float | None:
        """Return the seconds until an attempt; None: give up. `waited` is the time since the first shortage."""
        round_number, position = divmod(attempt, len(self.variants))
        if position or not round_number:
            return 0.0
        pause = pause_before(round_number)
        return pause if waited + pause <= self.patience else None


def attempts(options: TrainingOptions) -> Attempts:
    """Return the attempts that a job's options ask for."""
    types = items(options.instance_type)
    variants = [replace(options, instance_type=one) for one in types] if options.spot else [options]
    return Attempts(variants, float(durations.seconds(options.retry_for)) if options.retry_for else 0.0)
