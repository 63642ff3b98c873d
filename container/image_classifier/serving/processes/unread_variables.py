"""Environment variables that are called like those of serving and that nothing reads: misspelt, or renamed since."""

import re
from collections.abc import Mapping

from image_classifier.contract.serving_variables import VARIABLES

_PREFIX = "SERVE_"
"""The prefix of our own variables. SageMaker and its SDK set others that begin with SAGEMAKER_."""
_OF_KUBERNETES = re.compile(r"SERVE_(SERVICE|PORT)(_.*)?")
"""Which Kubernetes sets in every container for a Service that is called `serve`."""


def warnings(environment: Mapping[str, str]) -> list[str]:
    """Return a log line for each variable that nothing reads, with the name that was probably meant."""
    known = [variable.name for variable in VARIABLES]
    found = sorted(
        name
        for name in environment
        if name.upper().startswith(_PREFIX) and name not in known and not _OF_KUBERNETES.fullmatch(name)
    )
    return [f"WARNING: The environment variable {name} is not read. {_hint(name, known)}" for name in found]


def _hint(name: str, known: list[str]) -> str:
    # Not at the start of every server: it is needed for a mistake alone.
    import difflib

    near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.8)
    return f"Did you mean {near[0]}?" if near else "See docs/reference/serving-settings.md for all names."
