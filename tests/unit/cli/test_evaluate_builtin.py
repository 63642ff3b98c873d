"""scripts/evaluate on a model in the layout of the built-in algorithm, which TensorFlow runs."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_classifier.artifacts import ModelInfo
from image_classifier.cli import evaluate
from tests.support import builtin_artifact
from tests.unit.training import small


@pytest.mark.every
def test_model_of_the_builtin_algorithm_is_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its folder, without an OpenVINO network -> all images are judged; the model is not changed."""
    hub = small.save_backbone(tmp_path / "hub", ModelInfo(image_size=(32, 40)), small.build_network((None, None)))
    builtin_artifact.save(tmp_path / "model", hub / "1", ("cat", "dog", "eel"), (32, 40))
    noise = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(9):
            pixels = noise.integers(0, 256, (10, 12, 3), np.uint8).repeat(4, axis=0).repeat(4, axis=1)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{index}.jpg")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "model").rglob("*")}
    words = [tmp_path / "model", "--images", tmp_path / "photos", "--output", tmp_path / "report"]
    assert evaluate.main([str(word) for word in words]) == 0
    assert "Verdict: " in capsys.readouterr().out
    found = json.loads((tmp_path / "report" / "evaluation.json").read_text())["multiclass_classification_metrics"]
    assert {name: sum(row.values()) for name, row in found["confusion_matrix"].items()} == {
        "cat": 9,
        "dog": 9,
        "eel": 0,
    }
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "model").rglob("*")} == before
