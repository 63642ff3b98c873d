"""Environment variables that nothing reads."""

import pytest

from image_classifier.contract import monitoring_variables, unread_variables
from image_classifier.contract.serving_variables import VARIABLES


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
    assert unread_variables.of_serving({name: "1", "PATH": "/bin"}) == [expected]


def test_unknown_variable_is_a_warning_without_a_guess() -> None:
    """A name that resembles none -> the page of all names."""
    (line,) = unread_variables.of_serving({"SERVE_XYZZY": "1"})
    assert line.endswith("SERVE_XYZZY is not read. See docs/reference/serving-settings.md for all names.")


def test_variables_of_others_are_no_warning() -> None:
    """Every declared name, those of Kubernetes for a service `serve`, SageMaker's -> no line."""
    others = ("SERVE_SERVICE_HOST", "SERVE_SERVICE_PORT", "SERVE_PORT", "SERVE_PORT_80_TCP_ADDR", "SAGEMAKER_REGION")
    assert unread_variables.of_serving(dict.fromkeys((*(one.name for one in VARIABLES), *others), "1")) == []


def test_variables_of_monitoring_are_those_of_monitoring() -> None:
    """A misspelt name of monitoring beside all of its own -> one line of `monitor`, and none of `serve`."""
    given = dict.fromkeys(("MONITOR_WINDOW_HOUR", *(one.name for one in monitoring_variables.VARIABLES)), "1")
    (line,) = unread_variables.of_monitoring(given)
    assert line.endswith("MONITOR_WINDOW_HOUR is not read. Did you mean MONITOR_WINDOW_HOURS?")
    assert unread_variables.of_serving(given) == []
