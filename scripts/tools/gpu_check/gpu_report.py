"""The report of scripts/test-gpu: findings with a verdict, as a table and as JSON; measured figures only."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

FLOAT32_LIMIT = 1e-3
"""Largest tolerated |Δp| between GPU and CPU in float32; the same as for OpenVINO."""
LOWER_PRECISION_LIMIT = 0.05
"""The same for TF32 and float16. Not confirmed on a GPU yet."""


@dataclass(frozen=True)
class Row:
    """One finding; `passed` is None for information without a verdict."""

    what: str
    found: str
    passed: bool | None = None


@dataclass
class Report:
    """All findings about one Docker image or environment."""

    image: str
    image_id: str
    """Of the Docker image; the interpreter's path for an environment."""
    commit: str
    """Of the sources; scripts/build records it on the image."""
    dry_run: bool
    """Run on the CPU to check the steps themselves: no figure is a GPU's."""
    rows: list[Row] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    def add(self, what: str, found: str, passed: bool | None = None) -> None:
        """Add a finding."""
        self.rows.append(Row(what, found, passed))

    @property
    def passed(self) -> bool:
        """Whether there is a verdict and none is a failure."""
        verdicts = [row.passed for row in self.rows if row.passed is not None]
        return bool(verdicts) and all(verdicts)

    def table(self) -> str:
        """Return the findings as lines of text."""
        words = {True: "ok", False: "FAILED", None: ""}
        width = max((len(row.what) for row in self.rows), default=0)
        kind = "DRY RUN ON CPU, no figure is a GPU's" if self.dry_run else "measured on this GPU"
        lines = [f"{self.image}: {kind}"]
        lines += [f"  {words[row.passed]:<6}  {row.what:<{width}}  {row.found}" for row in self.rows]
        good = "Every step runs; no GPU was tested." if self.dry_run else "Everything passes."
        return "\n".join([*lines, good if self.passed else "Something FAILED."])

    def as_json(self) -> dict[str, Any]:
        """Return the report in JSON's types."""
        return {**asdict(self), "passed": self.passed}


def is_report(path: Path) -> bool:
    """Say whether a file is a report that this module wrote."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.keys() == {*(each.name for each in fields(Report)), "passed"}


def add_probe(report: Report, probe: Mapping[str, Any]) -> None:
    """Add `gpu_check.Probe`: devices, driver, libraries."""
    report.figures["probe"] = dict(probe)
    report.add("TensorFlow", f"{probe['tensorflow']}, {probe['cpus']} CPUs")
    if not report.dry_run:
        report.add("devices", ", ".join(probe["gpus"]) or "no GPU", passed=bool(probe["gpus"]))
        report.add("driver", probe["driver"] or "unknown: nvidia-smi does not answer")
    found = len([path for path in probe["libraries"].values() if path])
    if probe["libraries"]:
        all_found = f"{found} of {len(probe['libraries'])} open"
        report.add("CUDA libraries", probe["complaint"] or all_found, passed=not probe["complaint"])
    else:
        report.add("CUDA libraries", "none: TensorFlow is built for CPUs", passed=None if report.dry_run else False)


def add_job(report: Report, name: str, log: str, epoch_seconds: float | None, job_seconds: float, images: int) -> None:
    """Add a successful job; it passes if its log says that it trained on the GPU."""
    devices = next((line for line in log.splitlines() if line.startswith("Devices: ")), "Devices: unknown")
    memory = [line for line in log.splitlines() if line.startswith("GPU ") and "memory" in line]
    on_gpu = "no GPU" not in devices and "GPU" in devices
    speed = f"{epoch_seconds:.1f} s an epoch with validation" if epoch_seconds else "duration not found in the log"
    found = f"{images} photographs, {speed}, job {job_seconds:.0f} s; {'; '.join([devices, *memory])}"
    report.add(f"training, {name}", found, passed=report.dry_run or on_gpu)
    figures = {"images": images, "epoch_seconds": epoch_seconds, "job_seconds": job_seconds, "devices": devices}
    report.figures[f"training, {name}"] = {**figures, "memory": memory}


def add_answers(report: Report, measured: Mapping[str, Any], on_cpu: Sequence[Sequence[float]]) -> None:
    """Add speed and memory of each precision (`gpu_check.DeviceMeasurement`), and how its answers differ.

    float32 is compared with the CPU's answers, the lower precisions with float32's on the same device.
    """
    float32 = measured["float32"]["probabilities"]
    for precision, one in measured.items():
        other, name = (on_cpu, "CPU") if precision == "float32" else (float32, "float32")
        largest, other_answers = difference(one["probabilities"], other)
        limit = FLOAT32_LIMIT if precision == "float32" else LOWER_PRECISION_LIMIT
        found = (
            f"largest |Δp| {largest:.2g} on {len(other)} photographs (limit {limit:g}), {other_answers} other answers"
        )
        passed: bool | None = largest <= limit
        if precision == "float16" and largest == 0:
            # Rounding to 11 bits changes the probabilities of every network.
            found, passed = "bitwise equal answers: the graph rewriter had no effect", False
        # A dry run compares the CPU with itself, which proves nothing.
        report.add(f"{precision} against {name}", found, None if report.dry_run else passed)
        speeds = ", ".join(f"{speed:,.0f} at {size}" for size, speed in one["images_per_second"].items())
        report.add(f"{precision}, images/s at batch size", speeds)
        if one["peak_memory"] is not None:
            report.add(f"{precision}, peak GPU memory", f"{one['peak_memory'] / 2**20:,.0f} MiB while inferring")
        figures = {key: value for key, value in one.items() if key != "probabilities"}
        report.figures[f"answers, {precision}"] = {**figures, "compared_with": name, "largest_difference": largest}


def difference(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Return the largest |Δp| of two arrays (n, K), and how many rows have another largest entry.

    NaN differs by infinity.
    """
    first, second = np.asarray(one, np.float64), np.asarray(other, np.float64)
    largest = float(np.nan_to_num(np.abs(first - second), nan=np.inf).max())
    return largest, int((first.argmax(axis=1) != second.argmax(axis=1)).sum())
