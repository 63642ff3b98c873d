import shutil
from pathlib import Path

from tests.image.containers import ISOLATED, Job, Start


def test_train_in_the_serve_image_names_the_right_target(start: Start, serve_image: str, tmp_path: Path) -> None:
    """Given `train` in the image without TensorFlow -> exit code 1 and one sentence, also in the failure file."""
    container = start("train", image=serve_image, options=(*ISOLATED, "--volume", f"{tmp_path}:/opt/ml"))
    assert container.exit_code(seconds=30) == 1
    lines = container.log().splitlines()
    assert len(lines) == 1
    assert "target cpu or gpu" in lines[0]
    assert (tmp_path / "output" / "failure").read_text(encoding="utf-8").strip() == lines[0]


def test_artefact_without_an_openvino_model_is_rejected_with_the_remedy(
    start: Start, serve_image: str, trained: Job, tmp_path: Path
) -> None:
    """Given an older job's artefact in the serve image -> exit code 1 and one sentence with scripts/convert-model."""
    older = tmp_path / "model"
    shutil.copytree(trained.opt_ml / "model", older, ignore=shutil.ignore_patterns("openvino"))
    container = start(image=serve_image, options=(*ISOLATED, "--volume", f"{older}:/opt/ml/model:ro"))
    assert container.exit_code(seconds=30) == 1
    lines = container.log().splitlines()
    assert len(lines) == 1
    assert "scripts/convert-model" in lines[0]


def test_cpu_image_serves_it_with_tensorflow_and_says_so(start: Start, trained: Job, tmp_path: Path) -> None:
    """Given the same artefact in the cpu image -> it is served by TensorFlow, which the log says."""
    older = tmp_path / "model"
    shutil.copytree(trained.opt_ml / "model", older, ignore=shutil.ignore_patterns("openvino"))
    container = start("serve", options=(*ISOLATED, "--volume", f"{older}:/opt/ml/model:ro"))
    container.wait_for_ping()
    assert "TensorFlow" in container.log()
    assert "scripts/convert-model" in container.log()
