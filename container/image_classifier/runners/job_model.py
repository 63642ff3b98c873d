"""The first step of a job whose model must be fetched: `python -m image_classifier.runners.job_model FOLDER`.

A process of its own, since it may take minutes and load TensorFlow.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from image_classifier.contract.errors import ExplainedError, report_and_exit_code
from image_classifier.contract.opt_ml import OptMl
from image_classifier.runners import experiment, job_tree, local


def main(arguments: Sequence[str]) -> int:
    """Fetch the model of the experiment in a job's folder, make it the model channel, and return the exit code."""
    folder = Path(arguments[0])
    try:
        asked_for = experiment.read(folder / experiment.FILE)
        model = local.model_of(asked_for).fetch()
        if model is not None:
            job_tree.link_model(OptMl(folder), model)
    except ExplainedError as error:
        OptMl(folder).write_failure(f"{type(error).__name__}: {error}")
        return report_and_exit_code(error)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
