from pathlib import Path
from typing import Any

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


def ranges_of(own: str, **given: str) -> dict[str, dict[str, Any]]:
    """Return the entries of the ranges of a valid request, by the name of the hyperparameter."""
    call = tuning.create_tuning_job(job(given), tuning.parse({"own_ranges": own}))
    calls.validate([call])
    found = call.parameters["HyperParameterTuningJobConfig"]["ParameterRanges"]
    return {entry["Name"]: entry for entries in found.values() for entry in entries}


def test_own_ranges_replace_the_declared_ones() -> None:
    """Given ranges of each kind, one of what is not searched otherwise -> those, and the other declared ones."""
    found = ranges_of("learning_rate=0.001:0.01, epochs=5:20,optimizer=adam/sgd,augmentation=True/False")
    assert found["learning_rate"] == {
        **{"Name": "learning_rate", "MinValue": "0.001", "MaxValue": "0.01", "ScalingType": "Logarithmic"}
    }
    assert (found["epochs"]["MinValue"], found["epochs"]["MaxValue"]) == ("5", "20")
    assert found["optimizer"] == {"Name": "optimizer", "Values": ["adam", "sgd"]}
    assert found["augmentation"]["Values"] == ["True", "False"]
    assert set(found) == {*tuning.searched(specification.recommended_ranges()), "augmentation"}


def test_searched_network_is_no_fixed_head() -> None:
    """Given a range for train_only_top_layer -> it is searched, and no job gets a value for it."""
    how = tuning.parse({"own_ranges": "train-only-top-layer=True/False"})
    static = tuning.create_tuning_job(job(), how).parameters["TrainingJobDefinition"]["StaticHyperParameters"]
    assert "train_only_top_layer" not in static


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ("learnign_rate=0.1:0.2", "learnign_rate is not the name of a hyperparameter"),
        ("learning_rate=0.2:0.1", "expected the smallest and the largest value, separated by a colon"),
        ("learning_rate=0.1", "expected the smallest and the largest value"),
        ("learning_rate", "nothing is not allowed, a number"),
        ("epochs=0:5", "0 is not allowed, an integer of at least 1 is"),
        ("epochs=1:5,epochs=2:6", "epochs is given twice"),
        ("optimizer=adam", "expected at least two different values, separated by slashes"),
        ("optimizer=adam/adma", "adma is not allowed, one of adam"),
        ("model_uri=a/b", "it is a text, and a search takes its values from ranges or choices"),
    ],
)
def test_mistakes_in_own_ranges(own: str, sentence: str) -> None:
    """Given a range with a mistake -> a sentence with it and an example."""
    with pytest.raises(UserError) as caught:
        tuning.parse({"own_ranges": own})
    assert sentence in str(caught.value)
    assert "Write them as in learning_rate=0.001:0.1,optimizer=adam/sgd." in str(caught.value)


def test_value_and_range_contradict() -> None:
    """Given a value and a range for the same hyperparameter -> an error."""
    with pytest.raises(UserError, match=r"epochs has a value and a range\. Give one of them"):
        ranges_of("epochs=1:5", epochs="3")


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
