"""What `serve` does before the server runs: look at the settings and the model folder, then become gunicorn."""

import os
import sys
from typing import NoReturn

from image_classifier import PROGRAM, artifacts
from image_classifier.contract.errors import JobError, complain
from image_classifier.contract.opt_ml import BASE_DIR_VARIABLE, OptMl
from image_classifier.inference import engines
from image_classifier.inference.predictor import check_layout
from image_classifier.inference.processors import available_processors
from image_classifier.serving import settings


def main() -> NoReturn:
    """Check what can be checked within a second, then replace this process by gunicorn, so that signals reach it.

    Raises:
        SystemExit: Something is wrong, which was printed; code 1.
    """
    opt_ml = OptMl(OptMl.from_environment().base.absolute())
    try:
        chosen = settings.read(os.environ)
        if not chosen.multi_model:
            check_layout(opt_ml.model_dir)
            engines.choose(opt_ml.model_dir, artifacts.read_model_info(opt_ml.model_dir), chosen.engine)
    except JobError as error:
        sys.exit(complain(error))
    # gunicorn and `python -m` import from the working folder before anything else.
    os.chdir(PROGRAM)
    command = [sys.executable, "-m", "gunicorn", "--config", str(PROGRAM / "gunicorn.conf.py")]
    os.execve(sys.executable, command, _environment(opt_ml))


def _environment(opt_ml: OptMl) -> dict[str, str]:
    found = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OMP_NUM_THREADS": str(available_processors()),
        **os.environ,
        BASE_DIR_VARIABLE: str(opt_ml.base),
    }
    found["PYTHONPATH"] = os.pathsep.join([str(PROGRAM), *filter(None, [found.get("PYTHONPATH")])])
    return found
