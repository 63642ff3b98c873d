"""Names of hyperparameters: other spellings, the platform's own, and unknown ones."""

import pytest

from image_classifier.contract.hyperparameters import parse
from tests.unit.contract.rejected import problems


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("train_only_on_top_layer", "train_only_top_layer"),
        ("train_only_on_top", "train_only_top_layer"),
        ("train-only-top-layer", "train_only_top_layer"),
        ("train-only-on-top", "train_only_top_layer"),
        ("eps", "epsilon"),
        ("batch-size", "batch_size"),
        ("validation-split-ratio", "validation_split_ratio"),
        ("adam-learning-rate", "learning_rate"),
        ("adam_learning_rate", "learning_rate"),
    ],
)
def test_other_names(written: str, name: str) -> None:
    """A name that the guide or an older version prints -> the declared one, given."""
    settings = parse({written: "1" if name != "train_only_top_layer" else "True"})
    assert settings.sources[name] == "given"
    assert float(getattr(settings.values, name)) == 1


@pytest.mark.parametrize(
    "given",
    [
        {"learning_rate": "0.1", "adam-learning-rate": "0.2"},
        {"batch_size": "8", "batch-size": "16"},
        {"eps": "0.1", "epsilon": "0.01"},
        {"train_only_top_layer": "True", "train_only_on_top_layer": "False"},
    ],
)
def test_one_thing_given_two_values(given: dict[str, str]) -> None:
    """Two spellings of one name with different values -> rejected, both shown."""
    message = problems(given)
    for spelling in given:
        assert spelling in message
    assert "two values" in message


def test_one_thing_given_twice_alike() -> None:
    """Two spellings of one name with one value in two forms -> accepted."""
    assert parse({"learning_rate": "0.10", "adam-learning-rate": '"1e-1"'}).values.learning_rate == 0.1


@pytest.mark.parametrize(
    "name",
    [
        "sagemaker_program",
        "sagemaker_submit_directory",
        "sagemaker_container_log_level",
        "sagemaker_mpi_enabled",
        "sagemaker_anything_new",
        "_tuning_objective_metric",
        "default_user_module_name",
        "model_dir",
    ],
)
def test_names_of_the_platform(name: str) -> None:
    """A name that SageMaker or its SDK adds -> ignored."""
    assert parse({name: "20"}).values == parse({}).values
    assert parse({name: "20"}).sources == parse({}).sources


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("lerning_rate", "learning_rate"),
        ("Epochs", "epochs"),
        ("batchsize", "batch_size"),
        ("seed", "random_seed"),
        ("train_only_top", "train_only_top_layer"),
    ],
)
def test_misspelt_names(written: str, meant: str) -> None:
    """An unknown name -> rejected with the name that was probably meant."""
    assert f"Unknown hyperparameter {written}. Did you mean {meant}?" in problems({written: "1"})


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("lr", "Did you mean learning_rate?"),
        ("weight-decay", "Did you mean regularizers_l2?"),
        ("patience", "Did you mean early_stopping_patience?"),
        ("num_classes", "It follows from the class folders of the training channel; leave it out."),
        ("image_shape", "It follows from the model; leave it out."),
        ("rate", "See docs/reference/hyperparameters.md for all names."),
    ],
)
def test_names_of_other_programs(written: str, hint: str) -> None:
    """A name of another program, or a part of one of ours -> what to write instead; several candidates -> no guess."""
    assert f"Unknown hyperparameter {written}. {hint}" in problems({written: "1"})


@pytest.mark.parametrize(
    ("written", "shown"),
    [("epochs\u200b", "'epochs\\u200b'"), ("ер\u043echs", "'ер\u043echs' (U+0435 U+0440 U+043E)"), ("", "''")],
)
def test_characters_that_are_hard_to_see_are_shown(written: str, shown: str) -> None:
    """A name with a zero-width space or Cyrillic letters, or an empty one -> in quotes, with code points."""
    assert f"Unknown hyperparameter {shown}." in problems({written: "1"})
    assert f"optimizer is {shown}" in problems({"optimizer": written})


def test_a_name_like_no_other() -> None:
    """A name that resembles none -> rejected without a guess."""
    message = problems({"xyzzy": "1"})
    assert "Unknown hyperparameter xyzzy. See docs/reference/hyperparameters.md" in message
    assert "did you mean" not in message
