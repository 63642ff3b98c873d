import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.image.conftest import PROJECT
from tests.image.containers import ISOLATED, Start, docker, run


@pytest.fixture(scope="module")
def image_with_backbone() -> Iterator[str]:
    """The cpu image, built again with MODEL_ID=mobilenetv2-160."""
    tag = "image-classifier-test-staged:cpu"
    build = [str(PROJECT / "scripts" / "build"), "--target", "cpu", "--tag", tag]
    base = os.environ["IMAGE_CLASSIFIER_BASE_IMAGE"]
    arguments = ["--base", base, "--", "--network", "host", "--build-arg", "MODEL_ID=mobilenetv2-160"]
    subprocess.run([*build, *arguments], check=True, capture_output=True)
    yield tag
    docker("image", "rm", "--force", tag)


@pytest.mark.every
def test_backbone_lies_unpacked_in_the_image(image_with_backbone: str) -> None:
    """Given --build-arg MODEL_ID -> /opt/hub holds that model's folder and nothing else, readable by everybody."""
    options = (*ISOLATED, "--user", "41234")
    assert run(image_with_backbone, "ls", "/opt/hub", options=options) == "mobilenetv2-160"
    found = run(image_with_backbone, "ls", "/opt/hub/mobilenetv2-160", options=options).split()
    assert {"1", "__model_info__.json"} <= set(found)


@pytest.mark.every
def test_job_needs_no_model_channel_then(
    image_with_backbone: str, start: Start, make_opt_ml: Callable[..., Path], photographs: Path
) -> None:
    """Given the backbone in the image, no model channel and no network -> the job trains on it."""
    opt_ml = make_opt_ml(photographs / "held-out", {"train_only_top_layer": "True", "epochs": "1"}, model_channel=False)
    container = start("train", image=image_with_backbone, options=(*ISOLATED, "--volume", f"{opt_ml}:/opt/ml"))
    assert container.exit_code() == 0, container.log()
    assert "160x160 pixels" in container.log()


def test_job_without_any_backbone_names_both_places(
    start: Start, make_opt_ml: Callable[..., Path], photographs: Path
) -> None:
    """Given neither a model channel nor a backbone in the image -> exit code 1 and one sentence with both places."""
    opt_ml = make_opt_ml(photographs / "held-out", model_channel=False)
    container = start("train", options=(*ISOLATED, "--volume", f"{opt_ml}:/opt/ml"))
    assert container.exit_code() == 1
    assert "/opt/ml/input/data/model" in container.log()
    assert "/opt/hub" in container.log()
