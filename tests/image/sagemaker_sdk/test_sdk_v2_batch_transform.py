"""Version 2's local mode sends 200 photographs through the slim image, as objects and as lines."""

import base64
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.image.containers import Job, Start, ask
from tests.image.sagemaker_sdk.conftest import NO_AWS, ROLE, Ran, Run, sleeping_at_most
from tests.support.guides import script
from tests.support.photographs import some_solar_cells

pytestmark = pytest.mark.every
LINES_A_FILE = 50


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 200 photographs."""
    chosen = some_solar_cells(tmp_path_factory.mktemp("solar"), {"train": 100})
    folder = tmp_path_factory.mktemp("batch")
    for image in chosen.glob("*/*/*"):
        shutil.copy(image, folder / f"{image.parent.name}-{image.name}")
    return folder


@pytest.fixture(scope="module")
def lines(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four files with 50 lines each, the photographs in the order of their names."""
    folder = tmp_path_factory.mktemp("lines")
    written = [json.dumps({"b64": base64.b64encode(path.read_bytes()).decode()}) for path in sorted(images.iterdir())]
    for number in range(0, len(written), LINES_A_FILE):
        text = "".join(f"{line}\n" for line in written[number : number + LINES_A_FILE])
        (folder / f"from-{number:03d}.jsonl").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def one_by_one(
    start: Start, serve_image: str, published: tuple[str, ...], trained: Job, images: Path
) -> dict[str, Any]:
    """What a server answers for each photograph alone, by the photograph's name."""
    container = start("serve", image=serve_image, options=(*published, *trained.model_mounted()))
    url = f"{container.published()}/invocations"
    container.wait_for_ping(container.published())
    answers = {path.name: ask(url, path.read_bytes(), accept="application/json;verbose") for path in images.iterdir()}
    assert {answer.status for answer in answers.values()} == {200}
    return {name: json.loads(answer.body) for name, answer in answers.items()}


@pytest.fixture(scope="module")
def done(run_with_sdk: Run, serve_image: str, trained: Job, images: Path, lines: Path, scratch: Path) -> Ran:
    """The guide's blocks in local mode, without AWS."""
    artefact = scratch / "model.tar.gz"
    with tarfile.open(artefact, "w:gz") as archive:
        archive.add(trained.opt_ml / "model", ".")
    names: dict[str, str | Path] = {
        "serve_image_uri": serve_image,
        "artefact": artefact,
        "role": ROLE,
        "images": images,
        "lines": lines,
        "answers": scratch / "answers",
    }
    return run_with_sdk("v2", sleeping_at_most(1) + script("batch-transform.md", "On your machine", **names), **NO_AWS)


def same(answer: Any, expected: Any) -> bool:
    """Say whether two verbose answers are the same."""
    return bool(
        answer["labels"] == expected["labels"]
        and answer["predicted_label"] == expected["predicted_label"]
        and answer["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-6)
    )


def test_images_are_answered_as_alone(done: Ran, scratch: Path, one_by_one: dict[str, Any]) -> None:
    """Given 200 photographs as objects -> one file of answers each, equal to what a server says to it alone."""
    assert done.exit_code == 0, done.output[-6000:]
    found = {path.name: json.loads(path.read_bytes()) for path in (scratch / "answers" / "of-images").iterdir()}
    assert sorted(found) == sorted(f"{name}.out" for name in one_by_one)
    assert len(found) == 200
    assert [name for name, expected in one_by_one.items() if not same(found[f"{name}.out"], expected)] == []


def test_lines_are_answered_in_order(done: Ran, scratch: Path, one_by_one: dict[str, Any]) -> None:
    """Given the same photographs as lines of four files -> a line of answer each, in order, equal to the others."""
    assert done.exit_code == 0, done.output[-6000:]
    files = sorted((scratch / "answers" / "of-lines").iterdir())
    assert len(files) == 4
    answered = [json.loads(line) for file in files for line in file.read_text().splitlines() if line]
    names = sorted(one_by_one)
    assert len(answered) == len(names)
    pairs = zip(names, answered, strict=True)
    assert [name for name, answer in pairs if not same(answer, one_by_one[name])] == []
