"""Arguments that cannot be meant, as the commands of one machine reject them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from image_classifier.cli import (
    convert_model,
    demo,
    drift,
    evaluate,
    export,
    models,
    predict,
    sample_data,
    serve_locally,
    stage_backbone,
    train_locally,
)

Main = Callable[[Sequence[str]], int]


@pytest.mark.parametrize(
    ("main", "words", "said"),
    [
        (train_locally.main, ["--training", ""], "argument --training: is empty; give a path, or . for the current"),
        (train_locally.main, ["--training", "photos", "--output", " "], "argument --output: is empty"),
        (
            train_locally.main,
            ["--training", "s3://bucket/photos"],
            "--training: is the address 's3://bucket/photos'; give",
        ),
        (predict.main, ["https://example.com/cat.jpg"], "is the address 'https://example.com/cat.jpg'; give a path on"),
        (predict.main, [""], "argument IMAGE_OR_FOLDER: is empty"),
        (evaluate.main, ["run/job", "--images", ""], "argument --images: is empty"),
        (convert_model.main, [""], "argument ARTEFACT: is empty"),
        (convert_model.main, ["run/job/model", "--images", ""], "argument --images: is empty"),
        (export.main, ["", "--to", "litert"], "argument MODEL: is empty"),
        (export.main, ["run/job", "--to", "litert", "--images", ""], "argument --images: is empty"),
        (serve_locally.main, ["run/job", "--port", "65536"], "argument --port: is '65536'; allowed are 1 to 65535"),
        (serve_locally.main, ["run/job", "--port", "0"], "argument --port: is '0'; allowed are 1 to 65535"),
        (serve_locally.main, ["run/job", "--port", "http"], "argument --port: is 'http'; allowed are 1 to 65535"),
        (
            stage_backbone.main,
            ["", "--output", "run/lite0.tar.gz"],
            "argument source: is empty; give a name, a path or",
        ),
        (stage_backbone.main, ["lite0", "--output", ""], "argument --output: is empty"),
        (train_locally.main, ["--training", "photos", "--model", ""], "argument --model: is empty"),
        (sample_data.main, ["solar", "--to", ""], "argument --to: is empty"),
        (drift.main, ["lines", "model", "--max-images", "-1"], "argument --max-images: is '-1'; allowed is an integer"),
        (models.main, ["lite0"], "got 'lite0'; write scripts/models show lite0 to describe a model"),
        (models.main, ["--all", "deit"], "or scripts/models --search deit to list those with this word"),
    ],
)
def test_argument_that_cannot_be_meant_is_rejected(
    capsys: pytest.CaptureFixture[str], main: Main, words: list[str], said: str
) -> None:
    """An empty path, as that of an unset variable, a port out of range, a model without its verb -> one sentence."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_options_of_the_list_are_no_models(capsys: pytest.CaptureFixture[str]) -> None:
    """Words that belong to options -> the list."""
    assert models.main(["--search", "lite0", "--family", "EfficientNet-Lite"]) == 0
    assert "lite0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("main", "more"), [(predict.main, ["--model"]), (evaluate.main, ["--images", "{images}"]), (serve_locally.main, [])]
)
def test_missing_model_is_named_as_it_was_typed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], main: Main, more: list[str]
) -> None:
    """A relative path of a model that does not exist -> that path, not an absolute one, before anything is started."""
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.jpg").touch()
    words = [word.format(images=tmp_path) for word in more]
    assert main([str(tmp_path), *words, "run/absent"] if main is predict.main else ["run/absent", *words]) == 1
    assert "UserError: The model run/absent does not exist. Give a model folder or a" in capsys.readouterr().err


def test_archive_of_another_ending_is_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A zip as the output of a backbone, which is a gzipped tar -> rejected, and no file."""
    assert stage_backbone.main(["lite0", "--output", str(tmp_path / "lite0.zip")]) == 1
    assert "lite0.zip does not end in .tar.gz or .tgz" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("data", ["run/absent", " ", __file__])
def test_demo_of_a_folder_that_does_not_exist_fetches_nothing(capsys: pytest.CaptureFixture[str], data: str) -> None:
    """Given a path that is not a folder -> one sentence, before a backbone is staged."""
    assert demo.main(["--data", data]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"UserError: --data is {data!r}; give a folder of class folders, or one of: solar")
