"""Estimated memory footprint of a serving process, known before it starts so that a shortage is reported early."""

from pathlib import Path

from image_classifier import artifacts
from image_classifier.inference.engines import EngineSelection

MEGABYTE = 1024 * 1024
OPENVINO = (50, 2.0)
TENSORFLOW = (330, 2.0)
"""Private memory of a warmed-up process: a constant in MB, and a multiple of the size of the model files.

Measured: OpenVINO 51, 126 and 258 MB with files of 0, 19 and 105 MB; TensorFlow 2.21 338 MB with files of 20 MB. Pages
of libraries and weights are excluded: they are shared by all processes and reclaimable.
"""


def process_bytes(folder: Path, selection: EngineSelection) -> int:
    """Estimate the private memory of a warmed-up serving process, in bytes; a lower bound rather than an upper one.

    `selection` is the result of `engines.choose` for the folder.
    """
    if selection.precision is not None:
        weights, (program, factor) = selection.precision.network, OPENVINO
    else:
        weights, (program, factor) = artifacts.saved_model_folder(folder), TENSORFLOW
    size = sum(path.stat().st_size for path in weights.rglob("*") if path.is_file())
    return program * MEGABYTE + round(factor * size)
