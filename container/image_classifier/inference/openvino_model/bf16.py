"""Judge the float32 IR of a model folder in bfloat16, by the gate of lower precisions; it needs no file of its own."""

from pathlib import Path

from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.inference.engines.engine import Engine
from image_classifier.inference.openvino_model import conversion, ir_record, precision_gate, precision_record
from image_classifier.inference.openvino_model.precision_record import BF16, Gate, Gated
from image_classifier.inference.openvino_model.quantisation import QuantisationImages
from image_classifier.resources import processors


class NotJudged(Exception):  # noqa: N818 - for a job it is not an error
    """bf16 was not judged, or did not pass; the text is the reason, without a full stop."""

    def __init__(self, reason: str, gate: Gate | None = None) -> None:
        super().__init__(reason)
        self.gate = gate


def with_result(folder: Path, info: ModelInfo, images: QuantisationImages) -> ModelInfo:
    """Return the model info with the record of bf16, or with the reason why it was not judged or did not pass.

    The caller writes the model info.
    """
    try:
        return precision_record.with_record(info, BF16, judge(folder, info, images))
    except NotJudged as failure:
        return precision_record.with_reason(info, BF16, str(failure), failure.gate)


def judge(folder: Path, info: ModelInfo, images: QuantisationImages) -> Gated:
    """Run the float32 IR in float32, unless its answers are given, and in bfloat16; compare both on the gate's images.

    OpenVINO computes in float32, and says so, where it is asked for bfloat16 on a CPU without instructions for it; its
    answers would pass any gate. A CPU on which bfloat16 is slower than float32 judges as well as others
    (`processors.fast_bfloat16`): the gate is about answers, and the CPU that serves may be another one.

    Raises:
        NotJudged: There are too few images, no float32 IR or no such instructions, or bf16 does not pass.
    """
    float32, labels = ir_record.read_record(folder, info), images.labels
    if float32 is None:
        raise NotJudged("there is no float32 OpenVINO IR")
    if len(labels) < precision_gate.LEAST_IMAGES:
        raise NotJudged(
            f"{len(labels)} validation images are fewer than the {precision_gate.LEAST_IMAGES} that its gate takes"
        )
    if not processors.has_bfloat16():
        raise NotJudged("the CPU that would have judged it has no bfloat16 instructions")
    network = ir_record.folder_of(folder)
    lower = _engine(network, info, "bf16")
    if lower.precision != "bf16":
        raise NotJudged(f"OpenVINO computes in {lower.precision} on the CPU that would have judged it")
    expected = images.float32()
    if expected is None:
        expected = conversion.answers(_engine(network, info, "f32"), images.gate)
    gate = precision_gate.judge(labels, expected, conversion.answers(lower, images.gate), images.fitted)
    if not gate.passed:
        raise NotJudged(precision_gate.objection(gate), gate)
    return Gated(f32_sha256=float32.sha256, gate=gate)


def _engine(network: Path, info: ModelInfo, precision: str) -> Engine:
    # A job whose bfloat16 is not judged does without it.
    from image_classifier.inference.engines import openvino

    try:
        return openvino.load_engine(network, info, precision, single_compilation=True)
    except UserError as error:
        raise NotJudged(str(error).rstrip(".")) from error
