"""What a job on an earlier job's model leaves."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from image_classifier import artifacts


def info_of(tree: Path) -> Any:
    """Read the model info that a job left."""
    return json.loads((tree / "model" / artifacts.MODEL_INFO_FILE).read_text())


def assert_leaves_as_much(tree: Path, first: Path, without: Collection[str]) -> None:
    """Hold the tree of a job that kept the head of the `first` against it: complete, verified, with its lineage.

    `without`: files that it need not leave, below `model/`.
    """
    assert files(tree / "model") == files(first / "model") - set(without)
    before, after = info_of(first), info_of(tree)
    assert (after["head"], before["head"]) == ("kept", "new")
    assert after["parents"] == [before["sha256"]]
    assert after["backbone_sha256"] == before["backbone_sha256"]
    assert after["verified"] is True
    assert after["verification"]["other_answers"] == 0
    assert after["openvino"]["other_answers"] == 0


def files(model: Path) -> set[str]:
    """Return everything below a model folder."""
    return {path.relative_to(model).as_posix() for path in model.rglob("*")}
