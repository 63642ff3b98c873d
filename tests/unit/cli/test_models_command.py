"""scripts/models: the list, the description of a model, and errors."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from image_classifier.cli import models, stage_backbone, train_locally
from image_classifier.contract.hyperparameters import parse
from image_classifier.model_hub import catalogue, selection
from image_classifier.model_hub.catalogue import FAMILIES, MODELS
from image_classifier.model_hub.measured import MEASURED
from image_classifier.runners import chosen_model
from tests.support import pseudo_terminal
from tools.documents import models_page

COMMAND = Path(__file__).parents[3] / "scripts" / "models"
LITE0 = "tensorflow-ic-efficientnet-lite0-classification-2"
LARGE = "tensorflow-ic-efficientnet-b7-classification-1"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the command in this process, expecting success, and return what it prints."""
    assert models.main(arguments) == 0
    return capsys.readouterr().out


def test_the_script_lists_all_as_json() -> None:
    """Given --json, as a process -> 136 rows with the promised keys, and defaults that a job accepts."""
    done = subprocess.run([COMMAND, "--json"], capture_output=True, text=True, check=True)
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    assert [row["model_id"] for row in rows] == list(MODELS)
    for row in rows:
        assert {"model_id", "family", "image_size", "pixel_scaling", "hyperparameters"} <= set(row)
        settings = parse(row["hyperparameters"])
        assert settings.values == parse({}, row["own_hyperparameters"]).values
        assert row["image_size"] == list(MODELS[row["model_id"]].image_size)


def test_list_has_every_column_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """Given no terminal -> a header with every column, and a line for each of 136 models, ids and defaults included."""
    lines = printed(capsys).splitlines()
    assert lines[0].split() == [
        *("model", "images/s", "MB", "size", "params", "source", "licence", "accuracy", "own", "defaults", "model_id"),
    ]
    assert [line.split()[-1] for line in lines[1:137]] == [model.model_id for model in by_speed()]
    assert lines[137].startswith("136 of 136 models")
    large = next(line for line in lines if line.endswith(LARGE))
    assert large.split()[:4] == ["efficientnet-b7", "-", "-", "600x600"]
    assert "batch_size=4 train_only_top_layer=True" in large


def by_speed() -> list[catalogue.CatalogueModel]:
    """Return all models in the order of the list."""
    return selection.by_speed(list(MODELS.values()))


def test_fastest_model_comes_first_and_unmeasured_ones_last() -> None:
    """Given the figures of the benchmark -> descending speed, then the models without any, the least work first."""
    ordered = [model.model_id for model in by_speed()]
    speeds = [MEASURED[name].images_per_second for name in ordered if name in MEASURED]
    assert set(ordered[: len(speeds)]) == set(MEASURED)
    assert speeds == sorted(speeds, reverse=True)
    assert catalogue.find(ordered[-1]).short_name == "cait-m48-448"


@pytest.mark.parametrize(("columns", "left_out"), [(80, "licence, accuracy, own defaults, model_id"), (220, None)])
def test_list_fits_the_terminal(columns: int, left_out: str | None) -> None:
    """Given a narrow and a wide terminal -> no line is wider, one model is marked, and missing columns are named."""
    with pseudo_terminal.running([COMMAND], columns=columns, lines=24) as terminal:
        assert terminal.exit_code() == 0
        lines = terminal.text.splitlines()
    assert max(map(len, lines)) <= columns
    assert [line.split()[1] for line in lines if line.startswith("* ")] == ["lite0", "To"]
    assert ([f"Columns left out: {left_out}. --all shows them."] if left_out else []) == [
        line for line in lines if line.startswith("Columns left out")
    ]


def test_all_columns_are_shown_on_request() -> None:
    """Given --all on a narrow terminal -> the ids as well, although lines are wider than it."""
    with pseudo_terminal.running([COMMAND, "--all", "--family", "NASNet"], columns=80) as terminal:
        assert terminal.exit_code() == 0
        assert "tensorflow-ic-imagenet-nasnet-mobile" in terminal.text
        assert "Columns left out" not in terminal.text


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_in_any_case_has_its_models(family: str) -> None:
    """Given each family in capitals -> exactly its models."""
    assert selection.select(family.upper()) == [model for model in MODELS.values() if model.family == family]


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
    """Given a short name, two words, a handle, a note, nothing, nonsense -> the models with every word."""
    assert [model.model_id for model in selection.select(search=search)] == expected


def test_nothing_found_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Given a search without a match -> 0 of 136, and an empty list in JSON."""
    assert printed(capsys, "--search", "no such thing").startswith("0 of 136 models;")
    assert json.loads(printed(capsys, "--search", "no such thing", "--json")) == []


def test_show_prints_what_differs(capsys: pytest.CaptureFixture[str]) -> None:
    """Given a large model -> its size and its own defaults, but neither those of all models nor handles."""
    text = printed(capsys, "show", LARGE)
    assert re.search(r"^trains with +batch_size=4 train_only_top_layer=True$", text, re.MULTILINE)
    assert "600x600" in text
    assert "epochs" not in text
    assert "tfhub.dev" not in text


def test_show_all_adds_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    """Given --all -> every handle, the sources, the images, and every hyperparameter with the model's own marked."""
    text = printed(capsys, "show", LARGE, "--all")
    for handle in (*MODELS[LARGE].classifier_handles, *MODELS[LARGE].feature_vector_handles):
        assert handle in text
    assert re.search(r"^size from +its page on TensorFlow Hub", text, re.MULTILINE)
    assert "normalize: 0...255 becomes 0...1" in text
    assert "image-classifier:serve on CPU" in text
    assert re.search(r"^  batch_size +4 \(the model's default\)$", text, re.MULTILINE)
    assert re.search(r"^  epochs +3$", text, re.MULTILINE)
    assert printed(capsys, "--all", "show", LARGE) == text


def test_show_fits_the_terminal() -> None:
    """Given 80 columns -> no line is wider but commands and addresses, which stay whole to be copied."""
    with pseudo_terminal.running([COMMAND, "show", "lite0", "--all"], columns=80) as terminal:
        assert terminal.exit_code() == 0
        lines = terminal.text.splitlines()
    wide = [line for line in lines if len(line) > 80]
    assert [line for line in wide if "scripts/" not in line and "https://" not in line] == []


def commands(text: str) -> list[list[str]]:
    """Return the words of each command in a description."""
    return [line.split("scripts/", 1)[1].split() for line in text.splitlines() if " scripts/" in line]


@pytest.mark.parametrize("model_id", MODELS)
def test_printed_commands_are_accepted(capsys: pytest.CaptureFixture[str], model_id: str) -> None:
    """Given the commands of a description -> their own parsers accept them, and they name this model."""
    found = {name: words for name, *words in commands(printed(capsys, "show", model_id))}
    trained = train_locally.parser().parse_intermixed_args(found["train-locally"])
    assert chosen_model.choose(trained.model, {}).model_id == model_id
    for name, *words in commands(printed(capsys, "show", model_id)):
        if name == "stage-backbone":
            staged = stage_backbone.parser().parse_args(words)
            assert catalogue.find(staged.source).model_id == model_id
    assert catalogue.find(catalogue.find(model_id).short_name).model_id == model_id


def test_show_takes_short_names_and_the_sdks_any_version(capsys: pytest.CaptureFixture[str]) -> None:
    """Given lite0 and version "*" -> the catalogue's id, and that it is recommended."""
    text = printed(capsys, "show", "lite0", "--model-version", "*")
    assert re.search(rf"^model_id +{LITE0}$", text, re.MULTILINE)
    assert "lite0 (recommended)" in text


@pytest.mark.parametrize("arguments", [("show", LITE0, "--json"), ("--json", "show", LITE0)])
def test_show_as_json_is_a_row_of_the_list(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    """Given --json before or after the verb -> one object, the same as in the list."""
    assert json.loads(printed(capsys, *arguments)) == models.as_json(MODELS[LITE0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "efficientnet-b9"), "Did you mean efficientnet-b"),
        (("show", LITE0, "--model-version", "3"), "the catalogue has one version of each model"),
        (("--family", "vgg"), "--family is 'vgg'; allowed: BiT-M, BiT-S, CaiT"),
    ],
)
def test_mistakes_are_answered_in_a_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    """Given an unknown id, version or family -> exit code 1 and one line on standard error."""
    assert models.main(arguments) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("UserError: ")
    assert message in captured.err


def test_the_page_lists_every_model_and_which_are_large() -> None:
    """Given docs/reference/models.md -> a row for each id, and a second one for each large model."""
    page = models_page.page()
    large, _, all_models = page.partition("## All models")
    for name, model in MODELS.items():
        assert f"\n| `{name}` | {model.family} | " in all_models
        assert (f"\n| `{name}` | " in large) == ("batch_size" in model.hyperparameters)
    assert "| BiT-M: all 10 | 224 × 224 | any size fits;" in page
