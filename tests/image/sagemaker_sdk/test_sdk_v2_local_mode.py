import ast
import json
import re
import tarfile
from pathlib import Path

import pytest

from tests.image.sagemaker_sdk.conftest import NO_AWS, ROLE, Ran, Run, sleeping_at_most
from tests.support.guides import script


@pytest.fixture(scope="module")
def done(
    run_with_sdk: Run, image: str, few_photographs: Path, backbone: Path, folder_of_images: Path, scratch: Path
) -> Ran:
    """The guide's calls in local mode, without AWS: fit, deploy, predict, transform."""
    names: dict[str, str | Path] = {
        "image_uri": image,
        "role": ROLE,
        "images": few_photographs / "train",
        "backbone": backbone.parent,
        "new_images": folder_of_images,
        "output": scratch / "output",
        "answers": scratch / "answers",
    }
    text = sleeping_at_most(5) + script("sdk-v2.md", "On your machine", **names)
    return run_with_sdk("v2", text, **NO_AWS)


def printed(done: Ran, label: str) -> dict[str, object]:
    """Return the dictionary that the script printed behind a label, in one write, maybe behind a container's line."""
    texts = re.findall(rf"{label}: (\{{[^{{}}]*\}})", done.output)
    assert len(texts) == 1, done.output[-6000:]
    found = ast.literal_eval(texts[0])
    assert isinstance(found, dict)
    return found


def test_every_call_of_the_guide_works(done: Ran) -> None:
    """Given the guide's blocks -> the script ends with exit code 0 and no hyperparameter was lost."""
    assert done.exit_code == 0, done.output[-6000:]
    for line in ("epochs = 2 (given)", "train_only_top_layer = True (given)", "learning_rate = 0.001 (given)"):
        assert line in done.output


def test_fit_leaves_the_artefact(done: Ran, scratch: Path) -> None:
    """Given `fit` -> the archive at output_path holds the model and its description, at its top."""
    with tarfile.open(scratch / "output" / "model.tar.gz") as archive:
        names = set(archive.getnames())
    assert {"1/saved_model.pb", "labels_info.json", "__model_info__.json"} <= names


def test_predict_gives_both_forms(done: Ran) -> None:
    """Given a photograph as application/x-image -> probabilities; with the verbose accept the labels too."""
    assert list(printed(done, "plain")) == ["probabilities"]
    verbose = printed(done, "verbose")
    assert verbose["labels"] == ["defective", "functional"]
    assert verbose["predicted_label"] in ("defective", "functional")
    assert verbose["probabilities"] == printed(done, "plain")["probabilities"]


def test_transform_answers_every_image(done: Ran, scratch: Path, folder_of_images: Path) -> None:
    """Given a batch over a folder -> one answer an image, named after it, in the form that was asked for."""
    answers = {path.name: json.loads(path.read_bytes()) for path in (scratch / "answers").iterdir()}
    assert sorted(answers) == sorted(f"{path.name}.out" for path in folder_of_images.iterdir())
    assert len(answers) == 6
    for answer in answers.values():
        assert set(answer) == {"probabilities", "labels", "predicted_label"}
        assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-5)
