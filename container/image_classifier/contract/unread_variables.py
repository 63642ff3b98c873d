"""Environment variables that are called like those of a verb and that nothing reads: misspelt, or renamed since."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from image_classifier.contract import monitoring_variables, serving_variables
from image_classifier.contract.variable import Variable

_OF_KUBERNETES = re.compile(r"[A-Z]+_(SERVICE|PORT)(_.*)?")
"""Which Kubernetes sets in every container for a Service that is called like the prefix, such as `serve`."""


def of_serving(environment: Mapping[str, str]) -> list[str]:
    """Return a log line for each variable in `SERVE_` that `serve` does not read, with the name that was meant."""
    return _warnings(for_server(filter(_is_not_of_kubernetes, environment)))


def for_server(names: Iterable[str]) -> list[str]:
    """Return a sentence for each name in `SERVE_`, given by a user, that `serve` does not read."""
    return _sentences(names, "SERVE_", serving_variables.VARIABLES, "serving-settings.md")


def of_monitoring(environment: Mapping[str, str]) -> list[str]:
    """Return a log line for each variable in `MONITOR_` that `monitor` does not read, with the name that was meant."""
    names = filter(_is_not_of_kubernetes, environment)
    return _warnings(_sentences(names, "MONITOR_", monitoring_variables.VARIABLES, "monitoring-settings.md"))


def _is_not_of_kubernetes(name: str) -> bool:
    return not _OF_KUBERNETES.fullmatch(name)


def _warnings(sentences: Iterable[str]) -> list[str]:
    return [f"WARNING: {sentence}" for sentence in sentences]


def _sentences(names: Iterable[str], prefix: str, variables: Sequence[Variable[Any]], page: str) -> list[str]:
    # Other prefixes are not ours: SageMaker and its SDK set variables that begin with SAGEMAKER_.
    known = [variable.name for variable in variables if variable.name.startswith(prefix)]
    unread = sorted(name for name in names if name.upper().startswith(prefix) and name not in known)
    return [f"The environment variable {name} is not read. {_hint(name, known, page)}" for name in unread]


def _hint(name: str, known: Sequence[str], page: str) -> str:
    # Not at the start of every server: it is needed for a mistake alone.
    import difflib

    near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.8)
    return f"Did you mean {near[0]}?" if near else f"See docs/reference/{page} for all names."
