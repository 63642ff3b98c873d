"""Hyperparameter declarations and the code that acts on them: every declared choice is implemented."""

import pytest

from image_classifier import imaging
from image_classifier.contract.hyperparameters import DECLARATIONS
from image_classifier.training.loop import learning_rates, optimization
from tests.unit.training import small

CHOICES = {declared.name: declared.choices for declared in DECLARATIONS}


@pytest.mark.parametrize("name", CHOICES["optimizer"])
def test_every_declared_optimizer_can_be_built(name: str) -> None:
    """Given a declared optimizer -> a Keras optimizer with the job's learning rate."""
    optimizer = optimization.build_optimizer(small.settings(optimizer=name, learning_rate=0.25))
    assert float(optimizer.learning_rate) == 0.25


@pytest.mark.parametrize("name", CHOICES["learning_rate_schedule"])
def test_every_declared_schedule_has_a_rate(name: str) -> None:
    """Given a declared schedule -> it starts at learning_rate."""
    values = small.settings(learning_rate_schedule=name, learning_rate=0.25)
    assert learning_rates.rate(values, 0, 10) == 0.25


def test_declared_resize_methods_are_those_of_imaging() -> None:
    """The declared resize methods -> exactly those that images can be resized by."""
    assert sorted(CHOICES["image_resize_interpolation"]) == sorted(imaging.RESIZE_METHODS)


def test_resuming_and_models_leave_the_job_its_own_values() -> None:
    """The declarations -> only values that change no epoch may change on resume; a model decides none about the job."""
    assert {declared.name for declared in DECLARATIONS if declared.may_change_on_resume} == {
        "calibration",
        "checkpoint_interval",
        "epochs",
        "max_bad_fraction",
        "max_runtime",
        "model_id",
        "model_uri",
        "quantization",
        "report",
        "report_thumbnails",
        "tensorboard",
        "trust_model",
    }
    assert {declared.name for declared in DECLARATIONS if not declared.from_model} == {
        "calibration",
        "max_bad_fraction",
        "max_latency_ms",
        "model_id",
        "model_uri",
        "quantization",
        "random_seed",
        "recipe",
        "refit",
        "reinitialize_top_layer",
        "report",
        "report_thumbnails",
        "search_trials",
        "tensorboard",
        "trust_model",
        "validation_split_ratio",
    }
