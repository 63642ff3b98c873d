"""The monitoring job: both roads, the baseline job, its files against their schemas, metrics and the exit message."""

import json
import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from image_classifier.contract.errors import UserError
from image_classifier.evaluation.drift import baseline
from image_classifier.monitoring import job
from image_classifier.monitoring.settings import Settings, is_first_host, job_name
from tests.support import captured, monitored
from tests.unit.monitoring.validated import validate

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
LIGHT = 0.6


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with a drift baseline."""
    folder = tmp_path_factory.mktemp("model")
    baseline.write(folder, monitored.known())
    return folder


def run(base: Path, **variables: str) -> str:
    """Run a job below a folder that stands for /opt/ml; return the exit message."""
    places = {"dataset_source": base / "capture", "output_path": base / "output", "MONITOR_MODEL": base / "model"}
    environment = {name: str(path) for name, path in places.items()} | variables
    return job.run(Settings.read(environment, NOW), base, NOW, "nightly")


def content(path: Path) -> Any:
    """Return a JSON file's content."""
    return json.loads(path.read_text(encoding="utf-8"))


def test_plain_road_is_silent_without_drift(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given captured images like the baseline's -> every file by its schema, no violation, metrics with 0 drifted."""
    captured.write(tmp_path / "capture", monitored.lines(1, 200))
    message = run(tmp_path, MONITOR_MODEL=str(model))
    assert message.startswith("Completed: Job completed successfully with no violations. Production looks like")
    output = tmp_path / "output"
    assert {path.name for path in output.iterdir()} == {
        *("drift.json", "drift.html", "statistics.json", "constraints.json"),
        *("constraints_violations.json", "constraint_violations.json"),
    }
    validate(content(output / "statistics.json"), "statistics")
    validate(content(output / "constraints.json"), "constraints")
    validate(content(output / "constraint_violations.json"), "constraint_violations")
    found = content(output / "drift.json")
    assert (found["drifted"], found["images"], found["captured"]["corrupt_lines"]) == (False, 200, 0)
    assert found["label_shift"]["accuracy"] == 1
    metrics = json.loads(capsys.readouterr().out.splitlines()[0])
    validate(metrics, "embedded_metrics")
    assert (metrics["Endpoint"], metrics["drifted_features"], metrics["images"]) == ("shop", 0, 200)
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["Endpoint"]]
    assert (metrics["job"], found["job"]) == ("nightly", "nightly")


def test_plain_road_is_loud_on_darker_images(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given brightness x 0.6 -> a violation, the metric to alarm on, a page and a message that say so; exit code 0."""
    captured.write(tmp_path / "capture", monitored.lines(2, 200, LIGHT))
    message = run(tmp_path, MONITOR_MODEL=str(model))
    assert message.startswith("CompletedWithViolations: Job completed successfully with ")
    violated = content(tmp_path / "output" / "constraints_violations.json")
    validate(violated, "constraint_violations")
    assert "brightness" in {one["feature_name"] for one in violated["violations"]}
    assert content(tmp_path / "output" / "constraint_violations.json") == violated
    metrics = json.loads(capsys.readouterr().out.splitlines()[0])
    assert metrics["drifted_features"] >= 1
    assert metrics["effect_brightness"] > 1
    page = (tmp_path / "output" / "drift.html").read_text(encoding="utf-8")
    assert "Production differs from the training data in" in page
    assert "<script" not in page


def test_archive_of_the_model_is_unpacked(tmp_path: Path, model: Path) -> None:
    """Given the folder into which a Processing job downloads model.tar.gz -> its baseline."""
    (tmp_path / "model").mkdir()
    with tarfile.open(tmp_path / "model" / "model.tar.gz", "w:gz") as tar:
        tar.add(model, ".")
    captured.write(tmp_path / "capture", monitored.lines(1, 60))
    assert run(tmp_path).startswith("Completed")


def model_monitor(base: Path, model: Path, light: float, **variables: str) -> str:
    """Run the baseline job and then a job of a schedule, which has the baseline's files and no model."""
    baselines = base / "baseline"
    message = run(base, dataset_source=str(base / "none"), output_path=str(baselines), MONITOR_MODEL=str(model))
    assert message.startswith("Completed: wrote statistics.json and constraints.json")
    captured.write(base / "capture", monitored.lines(3, 200, light))
    given: Mapping[str, str] = {
        "baseline_statistics": str(baselines / "statistics.json"),
        "baseline_constraints": str(baselines / "constraints.json"),
        "publish_cloudwatch_metrics": "Enabled",
        "dataset_format": '{"sagemakerCaptureJson":{"captureIndexNames":["endpointInput","endpointOutput"]}}',
        "start_time": "2026-11-30T05:00:00Z",
        "end_time": "2026-11-30T06: 00: 00Z",
        "sagemaker_endpoint_name": "shop",
        "sagemaker_monitoring_schedule_name": "hourly",
    }
    return run(base, **{**given, **variables})


def metric_lines(base: Path) -> list[Any]:
    """Return the lines of Model Monitor's metrics file."""
    path = base / "output" / "metrics" / "cloudwatch" / "cloudwatch_metrics.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(("light", "first"), [(1.0, "Completed:"), (LIGHT, "CompletedWithViolations:")])
def test_model_monitor_road(tmp_path: Path, model: Path, light: float, first: str) -> None:
    """Given a baseline job and a schedule's environment -> the contract's files and metric lines, drift or not."""
    assert model_monitor(tmp_path, model, light).startswith(first)
    validate(content(tmp_path / "baseline" / "statistics.json"), "statistics")
    validate(content(tmp_path / "baseline" / "constraints.json"), "constraints")
    lines = metric_lines(tmp_path)
    for line in lines:
        validate(line, "metric_line")
        assert line["Dimensions"] == [
            {"Name": "Endpoint", "Value": "shop"},
            {"Name": "MonitoringSchedule", "Value": "hourly"},
        ]
    values = {line["MetricName"]: line["Value"] for line in lines}
    assert values["feature_non_null_brightness"] == 200
    assert (values["feature_baseline_drift_brightness"] > 0.2) is (light < 1)


def test_window_of_the_schedule_counts(tmp_path: Path, model: Path) -> None:
    """Given a schedule whose hour has no captured lines -> unknown, not "no drift", and no violation."""
    message = model_monitor(tmp_path, model, 1.0, start_time="2026-11-29T05:00:00Z", end_time="2026-11-29T06:00:00Z")
    assert "It is unknown whether production is different." in message
    assert content(tmp_path / "output" / "drift.json")["drifted"] is None


def test_window_of_hours_ends_now(tmp_path: Path, model: Path) -> None:
    """Given MONITOR_WINDOW_HOURS -> requests before that many hours ago are left out."""
    captured.write(tmp_path / "capture", monitored.lines(1, 60))
    assert "looks like" in run(tmp_path, MONITOR_MODEL=str(model), MONITOR_WINDOW_HOURS="8")
    assert "unknown" in run(tmp_path, MONITOR_MODEL=str(model), MONITOR_WINDOW_HOURS="6")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"dataset_format": '{"csv": {"header": true}}'}, "dataset_format is .*sagemakerCaptureJson"),
        ({"start_time": "noon"}, "start_time is 'noon'; allowed: a time such as"),
        ({"start_time": "2026-11-30T05:00Z", "end_time": "2026-11-30T05:00Z"}, "a start before the end"),
        ({"MONITOR_MAX_IMAGES": "5"}, "a whole number from 30"),
        ({"publish_cloudwatch_metrics": "yes"}, "Disabled, Enabled"),
        ({"baseline_constraints": "/missing"}, "The baseline constraints /missing do not exist"),
        ({"baseline_statistics": "/missing"}, "The baseline statistics /missing do not exist"),
    ],
)
def test_wrong_setting_is_one_sentence(tmp_path: Path, model: Path, variables: dict[str, str], words: str) -> None:
    """Given a wrong variable -> one sentence with the value that was given and what is allowed."""
    captured.write(tmp_path / "capture", [])
    with pytest.raises(UserError, match=words):
        run(tmp_path, **{"MONITOR_MODEL": str(model), **variables})


def test_only_the_first_of_several_hosts_analyses(tmp_path: Path) -> None:
    """Given a job with two instances -> the first by name analyses; so does a single one, or one without the file."""
    assert is_first_host(tmp_path)
    for current, first in (("algo-1", True), ("algo-2", False)):
        path = tmp_path / "resourceconfig.json"
        path.write_text(json.dumps({"current_host": current, "hosts": ["algo-2", "algo-1"]}))
        assert is_first_host(tmp_path) is first


def test_name_of_the_job_is_the_platforms(tmp_path: Path) -> None:
    """Given processingjobconfig.json -> the job's name; None without the file."""
    assert job_name(tmp_path) is None
    (tmp_path / "processingjobconfig.json").write_text('{"ProcessingJobName": "nightly-1"}')
    assert job_name(tmp_path) == "nightly-1"
