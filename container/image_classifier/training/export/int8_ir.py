"""Add an int8 IR beside the float32 one, and judge bf16, each if it passes its gate: quantization=auto.

A child process quantises with training images and judges on validation images: it needs no TensorFlow, can be ended at
any time, and a crash costs only the int8 IR.
"""

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import first_line
from image_classifier.inference.openvino_model import precision_gate, precision_record, quantisation
from image_classifier.inference.openvino_model.nncf_network import NotQuantised
from image_classifier.inference.openvino_model.precision_record import BF16, INT8, PRECISIONS, Quantised
from image_classifier.inference.openvino_model.quantisation import TimeLimits
from image_classifier.training import stopping
from image_classifier.training.export import child_process
from image_classifier.training.export.child_process import ChildFailed, ChildKilled, Interrupted
from image_classifier.training.export.quantiser import Quantiser
from image_classifier.training.progress import log
from image_classifier.training.stopping import StopSignal
from image_classifier.training.trained import Trained

OFF = "off"
SHARE = 0.2
"""Part of the job's time so far that further methods may take; the first one is always tried."""
LEAST_SECONDS = 30.0
"""Time left before max_runtime below which quantisation does not begin."""
_NOT_YET = "the job was stopped before it"


@contextmanager
def beginning(folder: Path, trained: Trained, quantization: str, stop: StopSignal) -> Iterator[Quantiser | None]:
    """Start the quantiser's process while the block exports the model to `folder`; None without quantization=auto.

    What prevents it is the reason that `add` gives, once the model is there.
    """
    if quantization == OFF:
        yield None
        return
    with ExitStack() as opened:
        quantiser = Quantiser(trained, opened)
        if _has_time(stop):
            with suppress(NotQuantised, OSError):
                quantiser.start()
        try:
            yield quantiser
        finally:
            _end(folder, quantiser)


def begin(folder: Path, info: ModelInfo, quantiser: Quantiser, stop: StopSignal) -> None:
    """Let the process quantise the float32 IR while the caller verifies it; what prevents it, `add` says."""
    if _has_time(stop):
        with suppress(NotQuantised, OSError):
            quantiser.begin(folder, info, _limits(stop))


def add(folder: Path, quantiser: Quantiser, stop: StopSignal) -> bool:
    """Quantise the float32 IR of a verified model folder, and write the result into its model info.

    Lower precisions are optional: without them, the log and the model info say why, and the job continues. Returns
    False when the job had no time left for them, which the caller logs.
    """
    before, in_time = artifacts.read_model_info(folder), True
    lines: list[str] = []
    try:
        info = _with_entries(before, _entries(folder, before, quantiser, stop))
        lines = _lines(folder, info)
    except Interrupted:
        info, in_time = _left_out(before, f"{_NOT_YET}: {stop.reason}"), False
    except (NotQuantised, ChildFailed, ChildKilled) as failure:
        info = _left_out(before, str(failure))
    except Exception as error:  # whatever fails in it, the job has its model
        info = _left_out(before, _reason(error))
    finally:
        _end(folder, quantiser)
    try:
        artifacts.write_model_info(folder, info)
    except (OSError, ValueError) as error:
        info, lines = before, [_no_int8(_reason(error))]
    if precision_record.recorded_int8(info) is None:
        # The process may have been ended when its files were in place.
        shutil.rmtree(precision_record.folder_of(folder), ignore_errors=True)
    for line in lines or (_lines(folder, info) if in_time else ()):
        log(line)
    return in_time


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {first_line(error)}".rstrip(".")


def _lines(folder: Path, info: ModelInfo) -> list[str]:
    """Return the lines about both; also checks the records."""
    about_bf16 = _bf16_reason(folder, info)
    return [_line(folder, info), *([about_bf16] if about_bf16 else [])]


def _end(folder: Path, quantiser: Quantiser) -> None:
    quantiser.end()
    shutil.rmtree(quantisation.partial_folder(folder), ignore_errors=True)


def _line(folder: Path, info: ModelInfo) -> str:
    found = precision_record.read_int8(folder, info)
    if found is None:
        return _no_int8(str(precision_record.left_out(info, INT8)))
    return (
        f"int8 IR: {precision_gate.sentence(found.gate)}; {found.steps[-1]} with {found.statistics_images} training "
        f"images{_refitted(found)} in {found.seconds:.1f} s"
    )


def _no_int8(reason: str) -> str:
    return f"int8 IR left out: {reason}. The float32 IR serves this model."


def _refitted(found: Quantised) -> str:
    return f", last layer refitted on {found.head_images}" if found.head_images else ""


def _bf16_reason(folder: Path, info: ModelInfo) -> str | None:
    """Return the line about bf16; None where the one about int8 says it already."""
    found, reason = precision_record.read_bf16(folder, info), precision_record.left_out(info, BF16)
    if found is not None:
        return f"bf16: {precision_gate.sentence(found.gate)}"
    return None if reason == precision_record.left_out(info, INT8) else f"bf16 left out: {reason}."


def _left_out(info: ModelInfo, reason: str) -> ModelInfo:
    for precision in PRECISIONS:
        info = precision_record.with_reason(info, precision, reason)
    return info


def _with_entries(info: ModelInfo, entries: Mapping[str, Any]) -> ModelInfo:
    known = dict(info.extra.get(precision_record.KEY) or {})
    return replace(info, extra={**info.extra, precision_record.KEY: {**known, **entries}})


def _entries(folder: Path, info: ModelInfo, quantiser: Quantiser, stop: StopSignal) -> Mapping[str, Any]:
    """Return the entries of the model info that the child process wrote."""
    if stop.out_of_time():
        raise Interrupted(stop.reason)
    if not info.extra.get("verified"):
        raise NotQuantised("the model is not verified")
    left = stop.training_seconds()
    if left < LEAST_SECONDS:
        raise NotQuantised(f"{max(left, 0):.0f} s are left of max_runtime, and it takes at least {LEAST_SECONDS:g} s")
    quantiser.begin(folder, info, _limits(stop))
    return quantiser.finish(info, stop)


def _has_time(stop: StopSignal) -> bool:
    return not stop.out_of_time() and stop.training_seconds() >= LEAST_SECONDS


def _limits(stop: StopSignal) -> TimeLimits:
    so_far = time.monotonic() - stopping.process_start()
    # JSON has no infinity. The report, which comes after it, gets the other half.
    return TimeLimits(SHARE * so_far, min(stop.training_seconds() / 2, child_process.LONGEST_SECONDS))
