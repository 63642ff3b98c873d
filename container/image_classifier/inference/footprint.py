"""How much memory a process needs that serves a model: estimated before there is one, to tell a lack in time."""

from pathlib import Path

from image_classifier import artifacts
from image_classifier.inference.engines import EngineSelection
from image_classifier.inference.openvino_model import ir_record

MEGABYTE = 1024 * 1024
OPENVINO = (50, 2.0)
TENSORFLOW = (330, 2.0)
"""What a warm process holds for itself: so many MB of program, and so many times the size of the model's files.

Measured: OpenVINO 51, 126 and 258 MB with files of 0, 19 and 105 MB; TensorFlow 2.21 338 MB with files of 20 MB. Pages
of libraries and weights are left out, which processes share and the system can read again.
"""


def process_bytes(folder: Path, choice: EngineSelection) -> int:
    """Estimate what a warm serving process of a model folder holds, in bytes: rather too little than too much.

    `choice` is what `engines.choose` said of the folder.
    """
    if choice.record is not None:
        weights, (program, factor) = ir_record.folder_of(folder), OPENVINO
    else:
        weights, (program, factor) = artifacts.saved_model_folder(folder), TENSORFLOW
    size = sum(path.stat().st_size for path in weights.rglob("*") if path.is_file())
    return program * MEGABYTE + round(factor * size)
