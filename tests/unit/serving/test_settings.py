"""Serving settings from the environment."""

import logging
from pathlib import Path

import pytest

from image_classifier.contract.errors import UserError
from image_classifier.inference.engines import EngineOptions
from image_classifier.serving import settings
from image_classifier.serving.formats.response_formats import ResponseFormat
from image_classifier.serving.settings import EXTRA_THREADS, MEGABYTE


def test_defaults() -> None:
    """Given an empty environment, and one with empty values -> port 8080, one worker, 25 MB, spare threads."""
    found = settings.read({})
    assert (found.port, found.workers, found.max_body_bytes, found.trust_model) == (8080, 1, 25 * MEGABYTE, False)
    assert found.threads == found.in_flight + EXTRA_THREADS
    assert found.timeout_seconds > 60
    assert found.engine == EngineOptions("auto", "f32", sole_process=True)
    assert settings.read({"SAGEMAKER_BIND_TO_PORT": "", "SERVE_TRUST_MODEL": " "}) == found


def test_variables_are_read() -> None:
    """Given each variable -> its setting."""
    found = settings.read(
        {
            "SAGEMAKER_BIND_TO_PORT": "9001",
            "SERVE_HOST": "127.0.0.1",
            "SAGEMAKER_MODEL_SERVER_WORKERS": "2",
            "SERVE_MAX_IN_FLIGHT": "3",
            "SERVE_MAX_BODY_MB": "7",
            "SAGEMAKER_MODEL_SERVER_TIMEOUT": "3600",
            "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "application/json;verbose",
            "SERVE_TRUST_MODEL": "True",
            "SERVE_ENGINE": "OpenVINO",
            "SERVE_PRECISION": "bf16",
            "SAGEMAKER_CONTAINER_LOG_LEVEL": "10",
        }
    )
    assert (found.port, found.host, found.workers, found.in_flight) == (9001, "127.0.0.1", 2, 3)
    assert (found.max_body_bytes, found.timeout_seconds) == (7 * MEGABYTE, 3600)
    assert found.default_format == ResponseFormat(verbose=True)
    assert (found.trust_model, found.log_level) == (True, logging.DEBUG)
    assert found.engine == EngineOptions("openvino", "bf16")


def test_jumpstart_environment_is_tolerated() -> None:
    """Given JumpStart's environment of the original -> no error, and the known values are used."""
    found = settings.read(
        {
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
            "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
            "SAGEMAKER_MODEL_SERVER_TIMEOUT": "3600",
            "ENDPOINT_SERVER_TIMEOUT": "3600",
            "MODEL_CACHE_ROOT": "/opt/ml/model",
            "SAGEMAKER_ENV": "1",
            "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
        }
    )
    assert (found.timeout_seconds, found.workers, found.log_level) == (3600, 1, logging.INFO)


@pytest.mark.parametrize(
    ("environment", "megabytes"),
    [
        ({"SAGEMAKER_BATCH": "true"}, 100),
        ({"SAGEMAKER_BATCH": "True"}, 100),
        ({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "50"}, 50),
        ({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "0", "SAGEMAKER_BATCH": "true"}, 100),
        ({"SAGEMAKER_MAX_PAYLOAD_IN_MB": "50", "SERVE_MAX_BODY_MB": "60"}, 60),
    ],
)
def test_body_limit_depends_on_the_caller(environment: dict[str, str], megabytes: int) -> None:
    """Given batch transform, its payload, our own variable -> their limits, ours takes precedence."""
    assert settings.read(environment).max_body_bytes == megabytes * MEGABYTE


def test_short_timeouts_are_lengthened() -> None:
    """Given a timeout below the platform's response timeout -> 120 s."""
    assert settings.read({"SAGEMAKER_MODEL_SERVER_TIMEOUT": "20"}).timeout_seconds == 120


def test_log_level_by_name() -> None:
    """Given a level's name in lower case -> its number."""
    assert settings.read({"SAGEMAKER_CONTAINER_LOG_LEVEL": "warning"}).log_level == logging.WARNING


def test_all_invalid_values_are_reported_together() -> None:
    """Given seven variables with invalid values -> one error that names each with its allowed values."""
    wrong = {
        "SAGEMAKER_BIND_TO_PORT": "65536",
        "SERVE_MAX_IN_FLIGHT": "many",
        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
        "SERVE_TRUST_MODEL": "maybe",
        "SERVE_ENGINE": "onnx",
        "SERVE_PRECISION": "fp8",
        "SAGEMAKER_CONTAINER_LOG_LEVEL": "loud",
    }
    with pytest.raises(UserError) as found:
        settings.read(wrong)
    message = str(found.value)
    assert all(name in message and value in message for name, value in wrong.items())
    assert message.count("allowed:") == 7
    assert "allowed: auto, openvino, tensorflow." in message


def test_default_format_cannot_explain_unless_allowed() -> None:
    """Given explain in the default format -> rejected with the variable that allows it; with that accepted."""
    given = {"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "application/json;explain"}
    with pytest.raises(UserError, match=r"asks for explanations.* Set SERVE_EXPLAIN to true"):
        settings.read(given)
    assert settings.read({**given, "SERVE_EXPLAIN": "true"}).default_format.explanation


def test_multi_model_requires_one_worker_and_openvino() -> None:
    """Given SAGEMAKER_MULTI_MODEL -> accepted; with several workers and TensorFlow -> rejected, both reasons."""
    assert settings.read({"SAGEMAKER_MULTI_MODEL": "true"}).multi_model
    given = {"SAGEMAKER_MULTI_MODEL": "true", "SAGEMAKER_MODEL_SERVER_WORKERS": "2", "SERVE_ENGINE": "tensorflow"}
    with pytest.raises(UserError, match=r"WORKERS is 2, .* could not agree .*SERVE_ENGINE is tensorflow, .* memory"):
        settings.read(given)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "10"}, (10, "MULTI_RECORD", 10)),
        ({"SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "50"}, (2, "MULTI_RECORD", 50)),
        ({"SAGEMAKER_BATCH": "true", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "100"}, (1, "MULTI_RECORD", 100)),
        (
            {"SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD", "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "1"},
            (1, "SINGLE_RECORD", 25),
        ),
        ({"SAGEMAKER_BATCH": "True", "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "1"}, (1, "MultiRecord", 100)),
    ],
)
def test_execution_parameters_keep_the_callers_choices(
    environment: dict[str, str], expected: tuple[int, str, int]
) -> None:
    """Given choices of batch transform's caller -> kept, 100 MB in flight at most; the SDK's own spelling."""
    found = settings.read(environment).execution_parameters
    assert (found.concurrent_transforms, found.strategy, found.payload_megabytes) == expected


def test_default_execution_parameters_fit_the_platform() -> None:
    """Given no choices of batch transform's caller -> 4 to 16 requests of at most 100 MB together."""
    found = settings.read({"SAGEMAKER_BATCH": "true"}).execution_parameters
    assert 4 <= found.concurrent_transforms <= 16
    assert 75 < found.concurrent_transforms * found.payload_megabytes <= 100


def test_model_roots_are_absolute_folders() -> None:
    """Given folders separated by colons -> all of them; a relative one, or only colons -> an error."""
    assert settings.read({"SERVE_MODEL_ROOTS": "/a:/b/c:"}).model_roots == (Path("/a"), Path("/b/c"))
    assert settings.read({}).model_roots == ()
    for text in ("models", "/a:models", ":"):
        with pytest.raises(UserError, match=f"SERVE_MODEL_ROOTS is '{text}'; allowed: absolute paths"):
            settings.read({"SERVE_MODEL_ROOTS": text})
