"""Environment variables that nothing reads."""

import pytest

from image_classifier.contract.serving_variables import VARIABLES
from image_classifier.serving.processes import unread_variables


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SERVE_ENGIN", "SERVE_ENGINE"),
        ("SERVE_MAX_PIXEL", "SERVE_MAX_PIXELS"),
        ("serve_precision", "SERVE_PRECISION"),
        ("SERVE_MAX_WORKER_DEATHS", "SERVE_MAX_WORKER_CRASHES"),
    ],
)
def test_misspelt_variable_is_a_warning(name: str, meant: str) -> None:
    """A misspelt name, one in lower case, one that was renamed -> one line with the name that was meant."""
    expected = f"WARNING: The environment variable {name} is not read. Did you mean {meant}?"
    assert unread_variables.warnings({name: "1", "PATH": "/bin"}) == [expected]


def test_unknown_variable_is_a_warning_without_a_guess() -> None:
    """A name that resembles none -> the page of all names."""
    (line,) = unread_variables.warnings({"SERVE_XYZZY": "1"})
    assert line.endswith("SERVE_XYZZY is not read. See docs/reference/serving-settings.md for all names.")


def test_variables_of_others_are_no_warning() -> None:
    """Every declared name, those of Kubernetes for a service `serve`, SageMaker's -> no line."""
    others = ("SERVE_SERVICE_HOST", "SERVE_SERVICE_PORT", "SERVE_PORT", "SERVE_PORT_80_TCP_ADDR", "SAGEMAKER_REGION")
    assert unread_variables.warnings(dict.fromkeys((*(one.name for one in VARIABLES), *others), "1")) == []
