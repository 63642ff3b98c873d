"""scripts/models: what it lists, what it tells of one model, and what it answers to mistakes."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from image_classifier.cli import models
from image_classifier.contract.hyperparameters import parse
from image_classifier.model_hub.catalogue import FAMILIES, MODELS
from tools.documents import models_page

COMMAND = Path(__file__).parents[3] / "scripts" / "models"
LITE0 = "tensorflow-ic-efficientnet-lite0-classification-2"
LARGE = "tensorflow-ic-efficientnet-b7-classification-1"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the command in this process, expecting success, and return what it prints."""
    assert models.main(arguments) == 0
    return capsys.readouterr().out


def test_the_script_lists_all_as_json() -> None:
    """scripts/models --json as a process -> 136 rows with the promised keys, and defaults that a job accepts."""
    done = subprocess.run([COMMAND, "--json"], capture_output=True, text=True, check=True)
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    assert [row["model_id"] for row in rows] == list(MODELS)
    for row in rows:
        assert {"model_id", "family", "image_size", "pixel_scaling", "hyperparameters"} <= set(row)
        settings = parse(row["hyperparameters"])
        assert settings.values == parse({}, row["own_hyperparameters"]).values
        assert row["image_size"] == list(MODELS[row["model_id"]].image_size)


def test_the_list_has_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    """No option -> a header, a line for each of 136 models, and how many there are."""
    lines = printed(capsys).splitlines()
    assert len(lines) == 138
    assert lines[0].split()[:2] == ["model_id", "size"]
    assert lines[-1].startswith("136 of 136 models.")
    assert next(line for line in lines if LARGE in line).endswith("batch_size=4, train_only_top_layer=True")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_in_any_case_has_its_models(family: str) -> None:
    """Each family in capitals -> its models and no others."""
    assert models.chosen(family.upper()) == [model for model in MODELS.values() if model.family == family]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("lite0", [LITE0]),
        ("SWIN large", [name for name in MODELS if "swin-large" in name]),
        ("google/efficientnet/b7", [LARGE]),
        ("dog breeds", ["tensorflow-ic-imagenet-mobilenet-v2-100-160"]),
        ("", list(MODELS)),
        ("no such thing", []),
    ],
)
def test_search_finds_words_in_ids_handles_and_notes(search: str, expected: list[str]) -> None:
    """A short name, two words, a handle, a note, nothing, nonsense -> the models with every word."""
    assert [model.model_id for model in models.chosen(search=search)] == expected


def test_nothing_found_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A search without a hit -> 0 of 136, and an empty list in JSON."""
    assert printed(capsys, "--search", "no such thing").startswith("0 of 136 models.")
    assert json.loads(printed(capsys, "--search", "no such thing", "--json")) == []


def test_show_tells_all_of_a_large_model(capsys: pytest.CaptureFixture[str]) -> None:
    """A large model -> both handles of both kinds, size, scaling, staging, images and the defaults with their owner."""
    text = printed(capsys, "show", LARGE)
    for handle in (*MODELS[LARGE].classifier_handles, *MODELS[LARGE].feature_vector_handles):
        assert handle in text
    assert "600 x 600: its page on TensorFlow Hub" in text
    assert "normalize: 0...255 becomes 0...1" in text
    assert f"scripts/stage-backbone {LARGE} --output run/{LARGE}.tar.gz\n" in text
    assert "image-classifier:serve on CPU" in text
    assert re.search(r"^  batch_size +4 \(the model's default\)$", text, re.MULTILINE)
    assert re.search(r"^  epochs +3$", text, re.MULTILINE)


def test_show_takes_short_names_and_the_sdks_any_version(capsys: pytest.CaptureFixture[str]) -> None:
    """lite0, version "*" -> the catalogue's id with its short name."""
    assert f"{LITE0} (short: lite0)" in printed(capsys, "show", "lite0", "--model-version", "*")


@pytest.mark.parametrize("arguments", [("show", LITE0, "--json"), ("--json", "show", LITE0)])
def test_show_as_json_is_a_row_of_the_list(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    """--json before or behind the verb -> one object, the same as in the list."""
    assert json.loads(printed(capsys, *arguments)) == models.as_json(MODELS[LITE0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "efficientnet-b0"), "Did you mean tensorflow-ic-efficientnet-b0-classification-1?"),
        (("show", LITE0, "--model-version", "3"), "the catalogue has one version of each model"),
        (("--family", "vgg"), "--family is 'vgg'; allowed: BiT-M, BiT-S, CaiT"),
    ],
)
def test_mistakes_are_answered_in_a_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    """An unknown id, a version, a family that is none -> exit code 1 and one line on standard error."""
    assert models.main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("UserError: ")
    assert message in captured.err


def test_the_page_lists_every_model_and_which_are_large() -> None:
    """docs/reference/models.md -> a row for each id, those with a smaller batch in the table of large ones too."""
    page = models_page.page()
    large, _, all_models = page.partition("## All models")
    for name, model in MODELS.items():
        assert f"\n| `{name}` | {model.family} | " in all_models
        assert (f"\n| `{name}` | " in large) == ("batch_size" in model.hyperparameters)
    assert "| BiT-M: all 10 | 224 × 224 | any size fits;" in page
