"""model_id=auto: small staged backbones, compared on coloured images."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.contract.opt_ml import OptMl
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.stopping import JobStopped, StopSignal
from tests.unit.training import small

Reader = Callable[..., DataSplits]


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a backbone that sees colours, and one that sees nothing."""
    folder = tmp_path_factory.mktemp("hub")
    small.save_backbone(folder / "seeing", ModelInfo(image_size=(32, 40)), small.build_network((None, None)))
    blind = small.build_network((None, None), batch_norm=False)
    blind.set_weights([0 * weight for weight in blind.get_weights()])
    small.save_backbone(folder / "blind", ModelInfo(image_size=(32, 40)), blind)
    return folder


@pytest.fixture
def hub(backbones: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same folder, where the Docker image has its backbones."""
    monkeypatch.setenv("MODEL_HUB_DIR", str(backbones))
    return backbones


def choose(data: DataSplits, tmp_path: Path, **given: Any) -> Any:
    """Compare the staged backbones as a job does."""
    from image_classifier.training.distributed.cluster import single_host
    from image_classifier.training.recipes import model_choice

    settings = {"recipe": "auto", "model_id": "auto", **given}
    job = model_choice.Job(
        OptMl(tmp_path / "ml"), settings, small.settings(**settings), data, single_host(), StopSignal()
    )
    return model_choice.choose(job, tmp_path / "scratch")


def test_better_backbone_is_chosen_and_kept_on_resume(
    hub: Path, images: Path, tmp_path: Path, read_data: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backbone that sees colours and a blind one -> the former, with numbers of both; a resumed job asks neither."""
    from image_classifier.heads import cross_validation

    (tmp_path / "ml" / "checkpoints").mkdir(parents=True)
    choice = choose(read_data(images), tmp_path)
    assert choice.name == "seeing"
    blind, seeing = choice.candidates
    assert blind.score.accuracy < 0.6 < 0.9 < seeing.score.accuracy
    assert min(blind.milliseconds, seeing.milliseconds) > 0
    assert choice.rule == "its cross-validated accuracy is the best of 2"
    monkeypatch.setattr(cross_validation, "select", lambda *_, **__: pytest.fail("compared again"))
    assert choose(read_data(images), tmp_path) == choice


@pytest.mark.every
def test_error_names_the_backbone(
    hub: Path, images: Path, tmp_path: Path, read_data: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A staged backbone whose features are infinite -> the error says which one."""
    from image_classifier.heads import cross_validation

    def select(*_: Any, **__: Any) -> Any:
        raise UserError("The model computes features that are NaN or infinite.")

    monkeypatch.setattr(cross_validation, "select", select)
    with pytest.raises(UserError, match=r"^Model blind: The model computes features that are NaN"):
        choose(read_data(images), tmp_path)


def test_time_limit_of_the_job_holds(hub: Path, images: Path, tmp_path: Path, read_data: Reader) -> None:
    """A process that is older than max_runtime -> the comparison stops, as a training would."""
    with pytest.raises(JobStopped):
        choose(read_data(images), tmp_path, max_runtime=1)


def test_backbones_that_are_too_slow_do_not_count() -> None:
    """Three backbones, the best of which is too slow -> the best of the others; none fast enough -> their times."""
    from image_classifier.heads.cross_validation import Score
    from image_classifier.training.recipes import model_choice

    def candidate(name: str, accuracy: float, milliseconds: float) -> Any:
        return model_choice.Candidate(name, Score(accuracy, 0.01, 0.1), milliseconds, 1.0)

    three = [candidate("a", 0.9, 9.0), candidate("b", 0.8, 4.0), candidate("c", 0.8, 3.0)]
    assert model_choice.best(three, 0.0).name == "a"
    assert model_choice.best(three, 5.0).name == "c"
    with pytest.raises(UserError, match=r"within max_latency_ms=2 .*\(milliseconds: a 9\.0, b 4\.0, c 3\.0\)"):
        model_choice.best(three, 2.0)


def test_too_many_or_another_model_are_rejected(
    images: Path, tmp_path: Path, read_data: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four staged backbones, or a model channel beside them -> rejected before anything is decoded."""
    monkeypatch.setenv("MODEL_HUB_DIR", str(tmp_path / "hub"))
    for name in ("blind", "seeing", "third", "fourth"):
        (tmp_path / "hub" / name).mkdir(parents=True)
    with pytest.raises(UserError, match="holds 4: blind, fourth, seeing, third"):
        choose(read_data(images), tmp_path)
    (tmp_path / "ml/input/data/model").mkdir(parents=True)
    (tmp_path / "ml/input/data/model/model.tar.gz").touch()
    with pytest.raises(UserError, match="model_id is auto, and the model channel"):
        choose(read_data(images), tmp_path)


def test_at_most_a_thousand_images_of_all_classes(images: Path, read_data: Reader) -> None:
    """4,500 images of three classes -> a thousand in their proportions; a rare class keeps two."""
    from image_classifier.training.recipes import model_choice

    training = read_data(images).training
    many = replace(training, examples=training.examples * 100)
    rare = [example for example in many.examples if example.label == 0][:2]
    skewed = replace(many, examples=(*rare, *(example for example in many.examples if example.label)))
    assert sum(model_choice.sample(many, 1).counts().values()) == pytest.approx(1000, abs=3)
    assert model_choice.sample(skewed, 1).counts()["colour-0"] == 2
    assert model_choice.sample(training, 1) == training
