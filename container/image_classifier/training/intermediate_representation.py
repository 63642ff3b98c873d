"""Add the OpenVINO IR to the finished model folder, which then can be served without TensorFlow."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from image_classifier import imaging
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.inference import conversion, intermediate_representation
from image_classifier.inference.conversion import NotConverted, Sample
from image_classifier.training.dataset import Example
from image_classifier.training.progress import say


def add(folder: Path, info: ModelInfo, examples: Sequence[Example], seed: int) -> ModelInfo:
    """Convert and check on a seeded sample of `examples`; returns the model info with what was found, not yet written.

    A model without an IR is whole: where there is none, the log and the model info say why, and the job goes on.

    Raises:
        OSError: The disk refuses it.
    """
    try:
        record = conversion.convert(folder, info, _sample(examples, info, seed))
    except (NotConverted, UserError) as failure:
        reason = str(failure).rstrip(".")
        say(f"OpenVINO IR left out: {reason}. TensorFlow serves this model.")
        return intermediate_representation.with_reason(info, reason)
    say(
        f"OpenVINO IR: on {record.pictures} validation pictures its probabilities differ from TensorFlow's by at most "
        f"{record.largest_difference:.6f}, {record.other_answers} other answers, {record.close_answers} too close to "
        f"call; made in {record.seconds:.1f} s"
    )
    return intermediate_representation.with_record(info, record)


def _sample(examples: Sequence[Example], info: ModelInfo, seed: int) -> Sample:
    count = min(len(examples), conversion.PICTURES)
    chosen = np.sort(np.random.default_rng(seed).choice(len(examples), count, replace=False))
    pixels = [
        imaging.load_pixels(examples[index].path.read_bytes(), info.image_size, info.resize_method) for index in chosen
    ]
    return Sample(np.stack(pixels), made_up=False)
