"""The page of the reference that lists the environment variables of serving."""

from image_classifier.contract.serving_variables import VARIABLES
from image_classifier.contract.variable import Variable
from tools.documents.markdown import code, table

_NOTE = "<!-- Written by scripts/docs from container/image_classifier/contract/serving_variables.py: change that. -->"


def page() -> str:
    """Return docs/reference/serving-settings.md."""
    rows = [(code(item.name), item.allowed, _default(item), item.meaning) for item in VARIABLES]
    return f"""{_NOTE}

# Serving's environment variables

On SageMaker they are the model's `Environment`; with Docker `--env NAME=VALUE`; in version 2 of the SDK `env=`. The
server looks at all of them before it starts: what is not allowed ends it, and one message names every such variable.
Unset and empty mean the default. Words and switches are taken in any case.

{table(("name", "values", "default", "meaning"), rows)}
Unless they are given, `OMP_NUM_THREADS` is set to the number of CPUs that the container may use, and
`TF_CPP_MIN_LOG_LEVEL` to 3. Variables that AWS's own containers know and this one has no use for are ignored:
`SAGEMAKER_SUBMIT_DIRECTORY`, `MODEL_CACHE_ROOT` and others.
"""


def _default(item: Variable[object]) -> str:
    if item.default == "":
        return item.computed or "none"
    text = str(item.default)
    return item.computed or code(text.lower() if isinstance(item.default, bool) else text)
