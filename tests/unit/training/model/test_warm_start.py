"""What a job takes over from its model, and the table of reinitialize_top_layer, row by row."""

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract import hyperparameters
from image_classifier.contract.errors import UserError
from image_classifier.training.model import warm_start
from tests.unit.training import small

CLASSES = ("daisy", "roses", "tulips")


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A folder with the label files of an earlier job."""
    artifacts.write_labels(tmp_path, CLASSES)
    return tmp_path


def start(folder: Path, finetuned: bool, wanted: str, classes: tuple[str, ...] = CLASSES) -> warm_start.HeadPlan:
    """Plan a job on a model."""
    values = small.settings(reinitialize_top_layer=wanted)
    return warm_start.plan(folder, ModelInfo(finetuned=finetuned), values, classes)


@pytest.mark.parametrize("wanted", ["Auto", "True"])
def test_backbone_gets_a_new_head(earlier: Path, wanted: str) -> None:
    """Given a backbone and Auto or True -> a new head, whatever labels lie beside it."""
    assert start(earlier, False, wanted, ("one", "two")).labels is None


def test_backbone_has_no_head_to_keep(tmp_path: Path) -> None:
    """Given a backbone and False -> one sentence: there is no head to keep, set Auto."""
    with pytest.raises(UserError, match=r"without a head to keep.*set it to Auto"):
        start(tmp_path, False, "False")


@pytest.mark.parametrize("wanted", ["Auto", "False"])
def test_earlier_model_keeps_its_head(earlier: Path, wanted: str) -> None:
    """Given an earlier job's model with the same classes and Auto or False -> its head is kept, and the log says so."""
    found = start(earlier, True, wanted)
    assert found.labels == CLASSES
    assert f"reinitialize_top_layer={wanted}" in found.line


def test_earlier_model_gets_a_new_head_when_told(earlier: Path) -> None:
    """Given an earlier job's model and True -> a new head, for other classes too."""
    assert start(earlier, True, "True", ("cats", "dogs")).labels is None


def test_new_head_needs_no_labels_of_the_earlier_model(tmp_path: Path) -> None:
    """Given an earlier model without a label file -> True starts a new head; Auto says which file is missing."""
    assert start(tmp_path, True, "True").labels is None
    with pytest.raises(UserError, match=artifacts.LABELS_FILE):
        start(tmp_path, True, "Auto")


@pytest.mark.parametrize("wanted", ["Auto", "False"])
def test_changed_classes_are_named(earlier: Path, wanted: str) -> None:
    """Given other classes than the head was trained for -> one sentence: both lists, the differences, the way out."""
    with pytest.raises(UserError) as problem:
        start(earlier, True, wanted, ("daisy", "roses", "violets"))
    assert str(problem.value) == (
        "The classes changed: the earlier model has 3 (daisy, roses, tulips), the training channel has 3 (daisy, "
        "roses, violets); added: violets; removed: tulips. Use the earlier classes, or set "
        "reinitialize_top_layer=True, which starts a new head on the earlier job's network."
    )


def test_sentence_about_many_classes_stays_short(tmp_path: Path) -> None:
    """Given a thousand classes of which one is gone -> that one is named within the platform's 1,024 characters."""
    names = [f"a class with a rather long name {number:04}" for number in range(1000)]
    artifacts.write_labels(tmp_path, names)
    with pytest.raises(UserError) as problem:
        start(tmp_path, True, "Auto", tuple(names[:-1]))
    assert "removed: a class with a rather long name 0999" in str(problem.value)
    assert len(str(problem.value)) <= 1024 - len("UserError: ")


def test_same_classes_in_another_order_are_the_same(earlier: Path) -> None:
    """Given the same names in another order -> the head is kept, and its own order comes along."""
    assert start(earlier, True, "Auto", CLASSES[::-1]).labels == CLASSES


def defaults(info: ModelInfo, **given: Any) -> hyperparameters.ResolvedHyperparameters:
    """Parse hyperparameters over what a model brings."""
    first = hyperparameters.parse(given)
    return hyperparameters.parse(given, warm_start.model_defaults(info, first.values))


def test_backbones_defaults_travel_through_generations() -> None:
    """Given defaults of a backbone -> they hold in the first job and in one on its result; what was given does not."""
    info = ModelInfo(hyperparameters={"batch_size": "8", "train_only_top_layer": "True"}, sha256="a")
    assert defaults(info).values.batch_size == 8
    second = ModelInfo(finetuned=True, hyperparameters={"batch_size": 64}, extra=warm_start.lineage(info))
    found = defaults(second)
    assert (found.values.batch_size, found.values.train_only_top_layer) == (8, True)
    assert found.sources["batch_size"] == "the model's default"
    assert defaults(second, batch_size="4").values.batch_size == 4


def test_what_the_network_was_made_for_is_taken_over() -> None:
    """Given an earlier model for lanczos3 in binary mode -> both hold, unless others are given; not for a new head."""
    info = ModelInfo(finetuned=True, resize_method="lanczos3", binary_mode=True)
    kept = defaults(info).values
    assert (kept.image_resize_interpolation, kept.binary_mode) == ("lanczos3", True)
    assert defaults(info, image_resize_interpolation="area").values.image_resize_interpolation == "area"
    assert defaults(info, reinitialize_top_layer="True").values.binary_mode is False


@pytest.mark.parametrize("finetuned", [False, True])
def test_no_model_decides_on_trust(finetuned: bool) -> None:
    """Given a model info that asks to be trusted, in three spellings -> it is not."""
    wanted = {"trust_model": "True", "trust-model": "True", " Trust_Model ": "True", "epochs": 7}
    info = ModelInfo(finetuned=finetuned, hyperparameters=wanted, extra={"model_defaults": wanted})
    found = defaults(info).values
    assert (found.trust_model, found.epochs) == (False, 7)


def test_lineage_names_every_parent() -> None:
    """Given three generations -> the backbone's sha256 stays, and every job's SavedModel is named, the oldest first."""
    first = warm_start.lineage(ModelInfo(sha256="backbone"))
    second = warm_start.lineage(ModelInfo(finetuned=True, sha256="one", extra=first))
    third = warm_start.lineage(ModelInfo(finetuned=True, sha256="two", extra=second))
    assert (first["parents"], second["parents"], third["parents"]) == ([], ["one"], ["one", "two"])
    assert third["backbone_sha256"] == "backbone"


def test_strange_lineage_is_no_obstacle() -> None:
    """Given a foreign model info with other things under our keys -> they are left out."""
    found = warm_start.lineage(ModelInfo(finetuned=True, sha256="x", extra={"parents": "me", "model_defaults": [1]}))
    assert (found["parents"], found["model_defaults"], found["backbone_sha256"]) == (["x"], {}, None)


def test_classes_are_compared_in_one_unicode_form(tmp_path: Path) -> None:
    """An earlier model whose label file has a name decomposed, data in the composed form -> the head is kept."""
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    artifacts.write_labels(tmp_path, (decomposed, "tea"))
    assert start(tmp_path, True, "Auto", (composed, "tea")).labels == (composed, "tea")


def test_earlier_model_with_both_forms_of_one_name_keeps_no_head(tmp_path: Path) -> None:
    """Labels that are one name in the composed form -> rejected, not matched to one of the two."""
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    artifacts.write_labels(tmp_path, (decomposed, composed))
    with pytest.raises(UserError, match="classes changed"):
        start(tmp_path, True, "Auto", (composed, "tea"))
