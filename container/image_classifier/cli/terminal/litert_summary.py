"""What `scripts/export` prints about a LiteRT file: its figures, what an app must do, and a few lines of its code."""

from collections.abc import Iterator
from pathlib import Path

from image_classifier.inference.litert_model.exchange import Converted
from image_classifier.inference.litert_model.judgement import Judgement
from image_classifier.inference.openvino_model import precision_gate

GUIDE = "docs/guides/export.md"
_KOTLIN = """\
  val model = Interpreter(file)  // org.tensorflow.lite.Interpreter, of LiteRT
  val input = ByteBuffer.allocateDirect({height} * {width} * 3)
  for (pixel in pixels)  // of the upright photo in {width}x{height}: Bitmap.getPixels
    for (shift in intArrayOf(16, 8, 0)) input.put((pixel shr shift).toByte())
  val probabilities = Array(1) {{ FloatArray({classes}) }}
  model.run(input.rewind(), probabilities)
  val best = probabilities[0].indices.maxBy {{ probabilities[0][it] }}  // line of {labels}"""


def figures(judged: Judgement, images: str) -> str:
    """Return the comparison with the model in one sentence; `images` says which images it was made on."""
    kind = "synthetic images (--images DIR takes real ones)" if judged.synthetic else f"images of {images}"
    accuracy = ""
    if judged.gate:
        accuracy = f"accuracy {judged.gate.accuracy:.4f} (the model: {judged.gate.accuracy_f32:.4f}), "
    predictions = "prediction differs" if judged.flips == 1 else "predictions differ"
    return (
        f"On {judged.images:,} {kind}: {accuracy}{judged.flips:,} {predictions}, largest difference of a probability "
        f"{judged.largest_difference:.6f}."
    )


def doubt(judged: Judgement) -> str | None:
    """Return what the comparison cannot tell, None when it can."""
    if not judged.undecided:
        return None
    what = "synthetic images" if judged.synthetic else f"{judged.images} images"
    least = precision_gate.LEAST_IMAGES
    return (
        f"WARNING: {what} cannot tell whether this precision is good enough. Compare it on at least {least} labelled "
        "images: --images with a folder for each class."
    )


def contract(converted: Converted, labels: Path) -> Iterator[str]:
    """Yield the lines about the file's input and output, and Kotlin for an app."""
    height, width = converted.image_size
    method = converted.resize_method
    yield (
        f"Input: uint8 [1, {height}, {width}, 3], RGB from 0 to 255, upright (apply EXIF orientation), the whole image "
        f"resized by {method} with antialiasing, without keeping the aspect ratio. Android's createScaledBitmap does "
        f"not antialias: {GUIDE} says what to do."
    )
    classes = len(converted.class_names)
    yield f"Output: float32 [1, {classes}], probabilities in the order of the lines of {labels.name}."
    yield "In an Android app:"
    yield _KOTLIN.format(height=height, width=width, classes=classes, labels=labels.name)
