import shutil
from collections.abc import Callable
from pathlib import Path

from tests.image.containers import Start


def test_one_class_ends_with_a_reason(
    start: Start, make_opt_ml: Callable[..., Path], photographs: Path, tmp_path: Path
) -> None:
    """Given photographs of a single class -> exit code 1 and a failure file that opens with a plain sentence."""
    only = sorted((photographs / "train").iterdir())[0]
    shutil.copytree(only, tmp_path / only.name)
    opt_ml = make_opt_ml(tmp_path)

    container = start("train", options=("--network", "none", "--volume", f"{opt_ml}:/opt/ml"))

    assert container.exit_code() == 1, container.log()
    failure = (opt_ml / "output" / "failure").read_text(encoding="utf-8")
    assert only.name in failure.splitlines()[0]
    assert "Traceback" not in failure[:1024]
    assert failure.splitlines()[0] in container.log()


def test_serve_without_a_model_ends_with_a_reason(start: Start) -> None:
    """Given no model folder at all -> serve ends within seconds, with another exit code than 0 and one plain line."""
    container = start("serve")
    assert container.exit_code(seconds=30) != 0
    assert "/opt/ml/model" in container.log()
    assert "Traceback" not in container.log()
