"""Quantise an OpenVINO IR to int8 with NNCF, by a ladder of methods of which each must pass the gate.

Needs NNCF, which the serve image lacks: imported by nothing that serves, and best in a process of its own.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier import artifact_checksums, artifacts, durable_files, own_files
from image_classifier.artifacts import ModelInfo
from image_classifier.inference.openvino_model import (
    conversion,
    ir_record,
    nncf_network,
    precision_gate,
    precision_record,
)
from image_classifier.inference.openvino_model.nncf_network import STEPS, Network, NotQuantised, OutOfTime
from image_classifier.inference.openvino_model.precision_record import Gate, Quantised
from image_classifier.resources import processors

Pixels = NDArray[np.uint8]

GATE_IMAGES = 500
"""Most validation images for the gate."""


@dataclass(frozen=True)
class QuantisationImages:
    """What a network is quantised with and what the gate judges on."""

    statistics: Pixels
    """Of training images, uint8 (n, h, w, 3), n at least 1; at most `nncf_network.STATISTICS_IMAGES`."""
    gate: Pixels
    """Of validation images, uint8 (m, h, w, 3); at most `GATE_IMAGES`."""
    labels: NDArray[np.int64]
    """True classes of the latter, (m,)."""
    float32: Callable[[], NDArray[np.float32] | None] = lambda: None
    """Gives the float32 IR's probabilities for `gate`, (m, K) or (m, 1), and may wait for them; None: not known."""
    features: NDArray[np.float32] | None = None
    """Features of the float32 IR for `statistics`, (n, D); computed when they are not given."""
    fitted: bool = False
    """Whether the head was fitted on the gate's images too."""


@dataclass(frozen=True)
class _Climbed:
    gate: Gate
    """That was passed."""
    tried: tuple[str, ...]
    head_images: int


@dataclass(frozen=True)
class TimeLimits:
    """Durations in seconds from the start of `quantise`."""

    another_rung: float
    """A further rung begins only if it is expected to end by then, taking as long as the one before."""
    whole: float = float("inf")
    """When a rung is given up."""


def check_images(validation: int) -> None:
    """Check that there are enough images before anything is computed.

    Raises:
        NotQuantised: There are fewer validation images than `precision_gate.LEAST_IMAGES`.
    """
    if validation < precision_gate.LEAST_IMAGES:
        raise NotQuantised(
            f"{validation} validation images are fewer than the {precision_gate.LEAST_IMAGES} that its gate takes"
        )


def quantise(
    folder: Path, info: ModelInfo, images: QuantisationImages, limits: TimeLimits, steps: Iterable[str] = STEPS
) -> Quantised:
    """Quantise the float32 IR of a model folder and install the first rung's IR that passes the gate.

    The caller writes the returned record into the model info. On failure the folder stays unchanged, except that an
    earlier int8 IR remains as it was.

    Raises:
        NotQuantised: NNCF is missing or fails, no rung passes the gate, or the time is spent.
        UserError: The float32 IR is corrupt, or a link or a file lies in the place of the int8 one.
    """
    check_images(len(images.labels))
    float32 = ir_record.read_record(folder, info)
    if float32 is None:
        raise NotQuantised("there is no float32 OpenVINO IR to make it of")
    ir_record.check_undamaged(folder, float32)
    started, target = time.monotonic(), precision_record.folder_of(folder)
    own_files.reject_other_kind(target)
    partial = partial_folder(folder)
    own_files.remove_folder(partial)
    try:
        whole_range = bool(processors.int8_features())
        climbed = _climb(ir_record.folder_of(folder), partial, info, images, limits, steps, whole_range)
        sha256 = artifact_checksums.folder_sha256(partial)
        own_files.remove_folder(target)
        durable_files.rename_folder(partial, target)
    finally:
        own_files.remove_folder(partial)
    return Quantised(
        f32_sha256=float32.sha256,
        gate=climbed.gate,
        sha256=sha256,
        tool=f"nncf {metadata.version('nncf')}",
        steps=climbed.tried,
        statistics_images=min(len(images.statistics), nncf_network.RANGE_IMAGES),
        head_images=climbed.head_images,
        whole_range=whole_range,
        seconds=round(time.monotonic() - started, 2),
    )


def float32_answers(folder: Path, info: ModelInfo, pixels: Pixels) -> NDArray[np.float32] | None:
    """Return the probabilities of a model folder's float32 IR, for the gates of all precisions; None without an IR.

    Raises:
        UserError: The IR is corrupt.
    """
    float32 = ir_record.read_record(folder, info)
    if float32 is None:
        return None
    ir_record.check_undamaged(folder, float32)
    return conversion.answers(conversion.load(ir_record.folder_of(folder), info), pixels)


def partial_folder(folder: Path) -> Path:
    """Return the temporary folder in which the int8 IR of a model folder is written and judged."""
    return folder / f".{artifacts.OPENVINO_INT8_DIR}.partial"


def _climb(
    source: Path,
    partial: Path,
    info: ModelInfo,
    images: QuantisationImages,
    limits: TimeLimits,
    steps: Iterable[str],
    whole_range: bool,
) -> _Climbed:
    started = time.monotonic()
    network = Network(source, images.statistics, started + limits.whole, images.features, whole_range)
    tried: list[str] = []
    reasons: list[str] = []
    gate, begun, expected = None, started, None
    for step in steps:
        now = time.monotonic()
        if tried and (now - started) + (now - begun) > limits.another_rung:
            reasons.append("no time is left for another method")
            break
        begun = now
        tried.append(step)
        try:
            head_images = network.write(step, partial)
            if expected is None:
                written = time.monotonic()
                expected = _expected(source, info, images)
                # A rung does not include it.
                begun += time.monotonic() - written
            found = _answers(partial, info, images.gate)
            gate = precision_gate.judge(images.labels, expected, found, images.fitted)
        except OutOfTime:
            reasons.append(f"{step} takes too long")
            break
        except NotQuantised as failure:
            reasons.append(str(failure))
            continue
        if gate.passed:
            return _Climbed(gate, tuple(tried), head_images)
        reasons.append(f"with {step} {precision_gate.objection(gate)}")
    raise NotQuantised("; ".join(reasons), gate)


def _expected(source: Path, info: ModelInfo, images: QuantisationImages) -> NDArray[np.float32]:
    known = images.float32()
    return conversion.answers(conversion.load(source, info), images.gate) if known is None else known


def _answers(partial: Path, info: ModelInfo, pixels: Pixels) -> NDArray[np.float32]:
    try:
        return conversion.answers(conversion.load(partial, info), pixels)
    except conversion.NotConverted as failure:
        raise NotQuantised(str(failure)) from failure


def with_result(folder: Path, info: ModelInfo, images: QuantisationImages, limits: TimeLimits) -> ModelInfo:
    """Return the model info with the record of a new int8 IR, or with the reason why it was left out.

    The caller writes it. Without a new int8 IR an earlier one is removed, which the model info no longer records.

    Raises:
        UserError: As `quantise`.
    """
    try:
        return precision_record.with_record(info, precision_record.INT8, quantise(folder, info, images, limits))
    except NotQuantised as failure:
        own_files.remove_folder(precision_record.folder_of(folder))
        return precision_record.with_reason(info, precision_record.INT8, str(failure), failure.gate)
