"""What a job that was stopped leaves."""

import json
from pathlib import Path
from typing import Any

from image_classifier import artifact_checksums


def info_of(tree: Path) -> dict[str, Any]:
    """Read the model info."""
    found: dict[str, Any] = json.loads((tree / "model" / "__model_info__.json").read_text())
    return found


def assert_whole(tree: Path) -> None:
    """Check that the model folder holds a complete model and no partial files, and that the reports are there."""
    folder = tree / "model"
    assert not [path.name for path in folder.iterdir() if "partial" in path.name]
    assert info_of(tree)["sha256"] == artifact_checksums.folder_sha256(folder / "1")
    assert (tree / "output" / "data" / "metrics.json").is_file()
    assert len((tree / "output" / "data" / "predictions.csv").read_text().splitlines()) > 1


def assert_stopped_in_a_step(tree: Path, log: str) -> None:
    """Check what one SIGTERM in the middle of many epochs leaves: the best model, unverified, the reports, why."""
    assert not (tree / "output" / "failure").exists()
    assert_whole(tree)
    info = info_of(tree)
    reason = "the job was stopped before it: SIGTERM"
    assert (info["verified"], info["verification"], info["openvino"]) == (
        False,
        {"left_out": reason},
        {"left_out": reason},
    )
    last = log.splitlines()[-1]
    assert last.startswith("Stopped (SIGTERM): the best model so far is saved; ")
    assert last.endswith("left out: the OpenVINO IR, the verification and the report.")
