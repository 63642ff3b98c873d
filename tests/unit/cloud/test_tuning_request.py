from pathlib import Path

import pytest

from image_classifier.cloud.sagemaker import calls, tuning
from image_classifier.contract import specification
from image_classifier.contract.errors import UserError
from tests.support.golden_files import assert_golden
from tests.unit.cloud.test_training_request import job

GOLDEN = Path(__file__).parent / "golden"


def test_request_is_the_golden_one_and_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a search with warm start -> the request of the golden file, which botocore's service model accepts."""
    monkeypatch.setattr("image_classifier.cloud.sagemaker.tags.__version__", "1.2.3")
    how = tuning.parse({"max_jobs": 30, "parallel_jobs": 3, "warm_start": "earlier,another"})
    call = tuning.create_tuning_job(job({"optimizer": "adam"}), how)
    calls.validate([call])
    assert_golden(GOLDEN / "tuning.json", call.as_json())


def test_given_hyperparameters_are_not_searched() -> None:
    """Given optimizer -> the declared ranges without it, and its value in every job."""
    parameters = tuning.create_tuning_job(job({"optimizer": "adam"}), tuning.parse({})).parameters
    ranges = parameters["HyperParameterTuningJobConfig"]["ParameterRanges"]
    assert set(tuning.searched(ranges)) == set(tuning.searched(specification.recommended_ranges())) - {"optimizer"}
    static = parameters["TrainingJobDefinition"]["StaticHyperParameters"]
    assert (static["optimizer"], static["train_only_top_layer"]) == ("adam", "True")
    every = dict.fromkeys(tuning.searched(specification.recommended_ranges()), "1")
    with pytest.raises(UserError, match="nothing is left to search"):
        tuning.create_tuning_job(job(every), tuning.parse({}))


def test_spot_instances_cost_a_search_no_trial() -> None:
    """Given spot instances -> a place for checkpoints, in which the image gives each trial a folder of its own."""
    found = job()
    definition = tuning.create_tuning_job(found, tuning.parse({})).parameters["TrainingJobDefinition"]
    assert definition["EnableManagedSpotTraining"]
    assert definition["CheckpointConfig"] == {"S3Uri": found.checkpoint_folder.uri}


def test_contradictions_are_named() -> None:
    """Given more parallel jobs than jobs, and early stopping with Hyperband -> one message with both."""
    with pytest.raises(UserError) as caught:
        tuning.parse({"max_jobs": 2, "parallel_jobs": 3, "strategy": "Hyperband", "early_stopping": True})
    assert "more than max_jobs, 2" in str(caught.value)
    assert "not for Hyperband" in str(caught.value)
