"""The verb `gate`: a Processing job of a pipeline, between the training job and the decision to register its model.

It reads the two archives of the training job and writes what conditions and the registry need:

    gate.json                            figures as numbers, for conditions
    evaluation.json, model_card.json     as the job wrote them
    statistics.json, constraints.json    the drift baseline, in Model Monitor's schemas
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from image_classifier import archives, artifacts, durable_files, model_layout
from image_classifier.contract import gate_files
from image_classifier.contract.errors import ExplainedError, PlatformError, UserError, first_line, report_and_exit_code
from image_classifier.contract.opt_ml import OptMl
from image_classifier.registration import drift_files, figures
from image_classifier.resources import termination


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Run the job; return its exit code. A low accuracy does not fail it: the pipeline's condition decides."""
    termination.exit_on_sigterm()
    base = OptMl.from_environment(environment).base / "processing"
    try:
        found = run(base / "input", base / "output")
    except ExplainedError as error:
        return report_and_exit_code(error)
    except OSError as error:
        where = error.filename or "A file"
        return report_and_exit_code(PlatformError(f"{where} cannot be written: {first_line(error)}."))
    print(found.sentence)
    return 0


def run(inputs: Path, output: Path) -> figures.Figures:
    """Write the files of one training job into `output`, and return its figures.

    Raises:
        UserError: An archive is missing or no job's, or the job wrote no report.
        OSError: The disk is full or not writable.
    """
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gate-") as scratch:
        unpacked, reports = (
            archives.materialise(_archive(inputs / name), Path(scratch) / name) for name in gate_files.INPUTS
        )
        model = model_layout.root(unpacked)
        found = figures.read(reports)
        drift_files.write(model, output)
        for name in gate_files.COPIED:
            if (reports / name).is_file():
                shutil.copyfile(reports / name, output / name)
        durable_files.write_json(output / gate_files.FIGURES, as_json(found, model))
    return found


def as_json(found: figures.Figures, model: Path) -> dict[str, Any]:
    """Return the content of `gate.json`."""
    # A condition compares numbers.
    return {**found.as_json(), gate_files.HAS_OPENVINO: int((model / artifacts.OPENVINO_DIR).is_dir())}


def _archive(folder: Path) -> Path:
    """Return the archive of an input; the platform downloads one object into a folder.

    Raises:
        UserError: There is not exactly one.
    """
    found = sorted(path for path in folder.iterdir() if archives.is_archive(path)) if folder.is_dir() else []
    if len(found) != 1:
        raise UserError(
            f"{folder} has {len(found)} archives; expected one, the model.tar.gz or output.tar.gz of a training job. "
            "A job that was stopped before its first epoch leaves none."
        )
    return found[0]
