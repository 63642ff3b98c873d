import json
import tarfile
from pathlib import Path

import pytest

from tests.image.sagemaker_sdk.conftest import NO_AWS, Ran, Run
from tests.support.guides import script


@pytest.fixture(scope="module")
def output(scratch: Path) -> Path:
    """The output folder of the trainer."""
    folder = scratch / "output"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def done(run_with_sdk: Run, image: str, few_photographs: Path, backbone: Path, output: Path) -> Ran:
    """The guide's call in local container mode, without a command and without AWS."""
    names = {"images": few_photographs / "train", "backbone": backbone.parent, "output": output}
    return run_with_sdk("v3", script("sdk-v3.md", "On your machine", image_uri=image, **names), **NO_AWS)


def test_the_image_trains_without_being_told(done: Ran) -> None:
    """Given no `train` word, typed values and two channels -> the job runs with what was given and ends well."""
    assert done.exit_code == 0, done.output[-6000:]
    for line in ("epochs = 2 (given)", "train_only_top_layer = True (given)", "learning_rate = 0.001 (given)"):
        assert line in done.output
    assert "exited with code 0" in done.output


def test_model_and_reports_are_left(done: Ran, output: Path) -> None:
    """Given the finished job -> the packed model and the reports are where the SDK collects them."""
    with tarfile.open(output / "compressed_artifacts" / "model.tar.gz") as archive:
        assert {"1/saved_model.pb", "labels_info.json"} <= set(archive.getnames()), done.output[-2000:]
    metrics = json.loads((output / "artifacts" / "output" / "data" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["epochs"] == 2
