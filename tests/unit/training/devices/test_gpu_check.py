"""What scripts/test-gpu runs in the image, here on the CPU with a small network, in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from image_classifier import PROGRAM, artifacts
from image_classifier.artifacts import ModelInfo


def gpu_check(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the module as the image does."""
    return subprocess.run(
        [sys.executable, "-m", "image_classifier.training.devices.gpu_check", *words],
        env={**os.environ, "PYTHONPATH": str(PROGRAM)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of 8 x 8 pixels whose first class is as probable as the image is red."""

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3), tf.uint8)])  # type: ignore[untyped-decorator, unused-ignore]
    def pixels(given: Any) -> dict[str, Any]:
        red = tf.reduce_mean(tf.cast(given[..., 0], tf.float32) / 255.0, (1, 2))
        return {"probabilities": tf.stack([red, 1 - red], 1)}

    folder = tmp_path / "model"
    tf.saved_model.save(tf.Module(), str(folder / artifacts.SAVED_MODEL_DIR), signatures={"pixels": pixels})
    artifacts.write_model_info(folder, ModelInfo(image_size=(8, 8)))
    return folder


@pytest.mark.every
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_every_image_is_classified_and_every_batch_size_timed(model: Path, tmp_path: Path, precision: str) -> None:
    """Given three images -> their probabilities in order of their names, a speed for each size, no GPU's memory."""
    (tmp_path / "images" / "a").mkdir(parents=True)
    for index, red in enumerate([0, 102, 255]):
        Image.new("RGB", (9, 7), (red, 0, 0)).save(tmp_path / "images" / "a" / f"{index}.png")
    words = ["--precision", precision, "--device", "cpu", "--seconds", "0.01", "--batch-sizes", "1", "4"]
    done = gpu_check("measure", model, tmp_path / "images", *words)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(found["probabilities"], [[0.0, 1.0], [0.4, 0.6], [1.0, 0.0]], atol=1e-6)
    assert set(found["images_per_second"]) == {"1", "4"}
    assert all(speed > 0 for speed in found["images_per_second"].values())
    assert found["peak_memory"] is None


@pytest.mark.every
def test_gpu_that_is_not_there_is_no_cpu_figure(model: Path, tmp_path: Path) -> None:
    """Given a measurement on a GPU, on a machine without one -> it fails, instead of measuring the CPU."""
    done = gpu_check("measure", model, tmp_path, "--precision", "float32", "--device", "gpu", "--batch-sizes", "1")
    assert done.returncode != 0
    assert done.stderr.endswith("TensorFlow sees no GPU.\n")
    assert done.stdout == ""


@pytest.mark.every
def test_probe_says_what_a_job_would() -> None:
    """Given a TensorFlow built for CPUs and no GPU -> no devices, no libraries, and a job's loud line."""
    done = gpu_check("probe")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["gpus"], found["libraries"], found["complaint"]) == ([], {}, None)
    assert found["lines"][0].startswith("WARNING: THIS JOB TRAINS ON THE CPU although there is a GPU (instance type")
