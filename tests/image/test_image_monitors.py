"""The verb `monitor` on requests to the serve image, captured in the form of SageMaker's data capture."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.image.containers import ISOLATED, Container, Job, Start
from tests.support import captured

ACCEPT = "application/json;verbose;embedding"


@pytest.fixture(scope="module")
def serving(start: Start, serve_image: str, trained: Job) -> Container:
    """The serve image with the model of a job."""
    container = start("serve", image=serve_image, options=(*ISOLATED, *trained.model_mounted()))
    container.wait_for_ping()
    return container


def darker(image: bytes) -> bytes:
    """Return a JPEG of an image with its brightness x 0.5."""
    pixels = np.asarray(Image.open(io.BytesIO(image)).convert("RGB")) // 2
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=92)
    return content.getvalue()


def monitored(start: Start, serving: Container, trained: Job, images: list[bytes], base: Path) -> tuple[Any, str]:
    """Capture requests for images, run the job in the cpu image; return the violated features and the exit message."""
    answers = serving.ask_each("/invocations", images, accept=ACCEPT)
    assert [answer.status for answer in answers] == [200] * len(images), answers[0].body
    lines = [captured.line(image, answer.body) for image, answer in zip(images, answers, strict=True)]
    captured.write(base / "processing/input/capture", lines)
    for folder in (base / "processing/output", base / "output"):
        folder.mkdir(parents=True)
    volumes = (f"{base}:/opt/ml", f"{trained.opt_ml / 'model'}:/opt/ml/processing/input/model:ro")
    options = [word for volume in volumes for word in ("--volume", volume)]
    container = start("monitor", options=(*ISOLATED, *options))
    assert container.exit_code() == 0, container.log()
    assert '"_aws"' in container.log()
    assert (base / "processing/output/drift.html").is_file()
    violated = json.loads((base / "processing/output/constraints_violations.json").read_text(encoding="utf-8"))
    return {one["feature_name"] for one in violated["violations"]}, (base / "output/message").read_text()


def test_held_out_photographs_are_no_other_light(
    start: Start, serving: Container, trained: Job, photographs: Path, tmp_path: Path
) -> None:
    """Given photographs of the same kind as the training images -> a report without a violation of brightness."""
    images = [path.read_bytes() for path in sorted((photographs / "held-out").glob("*/*"))]
    features, message = monitored(start, serving, trained, images, tmp_path)
    assert "brightness" not in features
    assert message.startswith("Completed")


def test_darker_photographs_are_a_violation(
    start: Start, serving: Container, trained: Job, photographs: Path, tmp_path: Path
) -> None:
    """Given the same photographs at half their brightness -> a violation of brightness, in the exit message too."""
    images = [darker(path.read_bytes()) for path in sorted((photographs / "held-out").glob("*/*"))]
    features, message = monitored(start, serving, trained, images, tmp_path)
    assert "brightness" in features
    assert message.startswith("CompletedWithViolations: ")


def test_monitor_in_the_serve_image_names_the_right_target(start: Start, serve_image: str, tmp_path: Path) -> None:
    """Given `monitor` in the image without SciPy -> exit code 1 and one sentence, also as the exit message."""
    container = start("monitor", image=serve_image, options=(*ISOLATED, "--volume", f"{tmp_path}:/opt/ml"))
    assert container.exit_code(seconds=30) == 1
    lines = container.log().splitlines()
    assert len(lines) == 1
    assert "target cpu or gpu" in lines[0]
    assert (tmp_path / "output" / "message").read_text(encoding="utf-8").strip() == lines[0]
