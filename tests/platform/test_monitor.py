"""The whole way of monitoring: a job with a report, its model served, requests captured, `container/monitor` run."""

import contextlib
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.platform.monitoring import capture, run_monitor, start_monitor
from tests.platform.serving import running, start_server
from tests.platform.training_process import link_backbone, make_tree, run_train
from tests.support import monitored
from tests.support.waiting import wait_until
from tests.unit.monitoring.validated import validate

DARKER = 0.6
SETTINGS: dict[str, Any] = {"train_only_top_layer": "True", "epochs": "8", "learning_rate": "0.01", "report": "True"}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> Path:
    """The tree of a job with a report, for images of noise in three colours."""
    tree = make_tree(tmp_path_factory.mktemp("job"), {}, **SETTINGS)
    for number, (colour, image) in enumerate(monitored.images(np.random.default_rng(1), 360)):
        folder = tree / "input/data/training" / monitored.NAMES[colour]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(image)
    link_backbone(tree, tiny_backbone)
    done = run_train(tree)
    assert done.returncode == 0, done.stderr
    assert (tree / "model" / "drift_baseline.npz").is_file(), done.stdout
    return tree


@pytest.fixture(scope="module")
def captures(job: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two periods of captured requests to the served model: `same` and `darker`."""
    folder = tmp_path_factory.mktemp("captures")
    with running(start_server(job)) as server:
        for name, seed, light in (("same", 2, 1.0), ("darker", 3, DARKER)):
            seen = monitored.images(np.random.default_rng(seed), 120, light)
            capture(server, (image for _, image in seen), folder / name)
    return folder


def lay_out(base: Path, job: Path, period: Path) -> Path:
    """Lay out a Processing job's inputs."""
    shutil.copytree(period, base / "processing/input/capture")
    shutil.copytree(job / "model", base / "processing/input/model")
    return base


def content(path: Path) -> Any:
    """Return a JSON file's content."""
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.every
def test_silent_on_the_same_kind_of_images(tmp_path: Path, job: Path, captures: Path) -> None:
    """Given 120 captured requests like the training images -> exit 0, no violation, every feature compared."""
    done = run_monitor(lay_out(tmp_path, job, captures / "same"))
    assert (done.returncode, done.stderr) == (0, "")
    found = content(tmp_path / "processing/output/drift.json")
    assert (found["drifted"], found["images"], found["left_out"]) == (False, 120, {})
    assert "embedding" in {check["feature"] for check in found["checks"]}
    assert content(tmp_path / "processing/output/constraints_violations.json") == {"violations": []}
    assert (tmp_path / "output/message").read_text().startswith("Completed: ")


@pytest.mark.every
def test_loud_on_darker_images(tmp_path: Path, job: Path, captures: Path) -> None:
    """Given brightness x 0.6 -> exit 0, violations, the metric to alarm on, a report that names brightness."""
    base = lay_out(tmp_path, job, captures / "darker")
    (base / "config").mkdir()
    (base / "config/processingjobconfig.json").write_text('{"ProcessingJobName": "nightly-1"}')
    done = run_monitor(base)
    assert (done.returncode, done.stderr) == (0, "")
    metrics = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    validate(metrics, "embedded_metrics")
    assert metrics["drifted_features"] >= 2
    output = base / "processing/output"
    for name in ("statistics", "constraints", "constraint_violations"):
        validate(content(output / f"{name}.json"), name)
    drifted = {check["feature"] for check in content(output / "drift.json")["checks"] if check["drifted"]}
    assert {"brightness", "embedding"} <= drifted
    assert "brightness" in (output / "drift.html").read_text(encoding="utf-8")
    assert (base / "output/message").read_text().startswith("CompletedWithViolations: ")


@pytest.mark.every
def test_model_monitor_needs_no_model(tmp_path: Path, job: Path, captures: Path) -> None:
    """Given a baseline job's files instead of the model, as a schedule has them -> the same alarm, and metric lines."""
    base = lay_out(tmp_path, job, captures / "darker")
    baselines = base / "processing/baseline"
    done = run_monitor(base, dataset_source=str(base / "nothing"), output_path=str(baselines))
    assert (done.returncode, done.stderr) == (0, "")
    shutil.rmtree(base / "processing/input/model")
    done = run_monitor(
        base,
        baseline_statistics=str(baselines / "statistics.json"),
        baseline_constraints=str(baselines / "constraints.json"),
        publish_cloudwatch_metrics="Enabled",
        dataset_format='{"sagemakerCaptureJson":{"captureIndexNames":["endpointInput","endpointOutput"]}}',
        sagemaker_endpoint_name="shop",
        sagemaker_monitoring_schedule_name="hourly",
    )
    assert (done.returncode, done.stderr) == (0, "")
    violated = content(base / "processing/output/constraints_violations.json")["violations"]
    assert ("brightness", "baseline_drift_check") in {
        (one["feature_name"], one["constraint_check_type"]) for one in violated
    }
    lines = (base / "output/metrics/cloudwatch/cloudwatch_metrics.jsonl").read_text().splitlines()
    for line in lines:
        validate(json.loads(line), "metric_line")
    assert any("feature_baseline_drift_brightness" in line for line in lines)


def test_missing_model_fails_the_job_with_one_sentence(tmp_path: Path) -> None:
    """Given a job without a model -> exit code 1, one sentence in the log and in the exit message."""
    done = run_monitor(tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "output/message").read_text() == done.stderr.strip()
    assert "does not exist. Give a model folder" in done.stderr


def test_sigterm_ends_the_job(tmp_path: Path) -> None:
    """Given SIGTERM while the job waits for its storage -> exit code 143 at once, also for a first process."""
    pipe = tmp_path / "config/processingjobconfig.json"
    pipe.parent.mkdir()
    os.mkfifo(pipe)
    process = start_monitor(tmp_path)
    writer = -1

    def is_reading() -> bool:
        nonlocal writer
        with contextlib.suppress(OSError):
            writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        return writer >= 0

    try:
        wait_until(is_reading, 60, "the job reads its configuration")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.communicate()
        os.close(writer)
