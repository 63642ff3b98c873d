"""The pages of the reference that list environment variables: serving's, training's and monitoring's."""

from image_classifier.contract import monitoring_variables, serving_variables, training_variables
from image_classifier.contract.variable import Variable
from tools.documents.markdown import code, table

_NOTE = "<!-- Written by scripts/docs from container/image_classifier/contract/{}.py: change that. -->"


def serving_page() -> str:
    """Return docs/reference/serving-settings.md."""
    return f"""{_NOTE.format("serving_variables")}

# Serving's environment variables

On SageMaker they are the model's `Environment`; with Docker `--env NAME=VALUE`; in version 2 of the SDK `env=`. The
server reads all of them before it starts: an invalid value ends it, and one message names every such variable.
Unset and empty mean the default. Words and switches are taken in any case.

{_rows(serving_variables.VARIABLES)}
Unless they are given, `OMP_NUM_THREADS` is set to the number of CPUs that the container may use, and
`TF_CPP_MIN_LOG_LEVEL` to 3. Variables of AWS's own containers that have no meaning here are ignored:
`SAGEMAKER_SUBMIT_DIRECTORY`, `MODEL_CACHE_ROOT` and others.
"""


def training_page() -> str:
    """Return docs/reference/training-settings.md."""
    return f"""{_NOTE.format("training_variables")}

# Training's environment variables

Few jobs need them: what a job does is set by [hyperparameters](hyperparameters.md). On SageMaker they are the job's
`Environment`; with Docker `--env NAME=VALUE`. An invalid value ends the job with a sentence. Unset and empty mean the
default.

{_rows(training_variables.VARIABLES)}
Unless they are given, the job sets `TF_USE_LEGACY_KERAS` to 1 and `TF_CPP_MIN_LOG_LEVEL` to 2 before TensorFlow is
imported, and for several hosts `NCCL_SOCKET_IFNAME` to the platform's network interface. `CUDA_VISIBLE_DEVICES` hides
GPUs as usual; the log says so. `TMPDIR` is where archives are unpacked.
"""


def monitoring_page() -> str:
    """Return docs/reference/monitoring-settings.md."""
    return f"""{_NOTE.format("monitoring_variables")}

# Monitoring's environment variables

What the verb `monitor` reads ([guide](../guides/drift.md)). On SageMaker they are the Processing job's `Environment`.
Those in lower case are set by Model Monitor's schedules, and may be set for a plain Processing job too. With an
invalid value the job fails with a message that names it. Unset and empty mean the default.

{_rows(monitoring_variables.VARIABLES)}"""


def _rows(variables: tuple[Variable[object], ...]) -> str:
    rows = [(code(item.name), item.allowed, _default(item), item.meaning) for item in variables]
    return table(("name", "values", "default", "meaning"), rows)


def _default(item: Variable[object]) -> str:
    if item.default == "":
        return item.computed or "none"
    text = str(item.default)
    return item.computed or code(text.lower() if isinstance(item.default, bool) else text)
