"""Measure how fast a staged backbone is on this machine: `python -m image_classifier.training.backbone_speed`.

A program of its own, so that the process that starts it needs neither TensorFlow nor its memory. TensorFlow is
imported after `tensorflow_start.start` has prepared it.
"""

import resource
import sys
import tempfile
from pathlib import Path

from image_classifier import archives, durable_files, model_layout, tensorflow_start
from image_classifier.contract.errors import ExplainedError, report_and_exit_code
from image_classifier.resources import processors


def measure(archive: Path) -> dict[str, float | int | str]:
    """Return the median milliseconds of one image with the serving engine, peak memory in bytes, and the processor.

    Raises:
        ExplainedError: The archive holds no backbone that this program loads.
    """
    tensorflow_start.start()
    from image_classifier.training.model import backbone
    from image_classifier.training.recipes import model_choice

    with tempfile.TemporaryDirectory(prefix="speed-") as scratch:
        folder = model_layout.root(archives.materialise(archive, Path(scratch) / "model"))
        milliseconds = model_choice.one_image_milliseconds(backbone.load(folder, False, trust=False))
    return {
        "milliseconds": milliseconds,
        # Linux counts in units of 1,024 bytes: getrusage(2).
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "processor": processors.name(),
        "processors": processors.available_processors(),
    }


def main(arguments: list[str]) -> int:
    """Measure the archive that is named first and write JSON to the file that is named second."""
    archive, result = map(Path, arguments)
    try:
        durable_files.write_json(result, measure(archive))
    except ExplainedError as error:
        return report_and_exit_code(error)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
