"""Convert a model folder's network to a LiteRT file and run both on the same images; runs as a child process.

`python -m` this module with a folder, see `litert_model.export`: TensorFlow's converter prints to the file descriptors
of its process, and aborts it on some graphs. TensorFlow is imported after `tensorflow_start.start` has prepared it.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import artifacts, tensorflow_start
from image_classifier.contract.errors import UNWRITABLE, ExplainedError, PlatformError, UserError, cause, first_line
from image_classifier.imaging import ImageRejected
from image_classifier.inference.engines import EngineOptions
from image_classifier.inference.litert_model import exchange
from image_classifier.inference.litert_model.exchange import FLOAT16, FLOAT32, INT8, Converted, Request
from image_classifier.inference.openvino_model import agreement, conversion
from image_classifier.inference.predictor import Predictor
from image_classifier.resources.processors import available_processors

Pixels = NDArray[np.uint8]
_LACKING = re.compile(r"(?:TF Select|Custom) ops: (.+)")
"""How the converter lists the operations that LiteRT's own runtime lacks."""


class NotConverted(Exception):  # noqa: N818 - another function of the model may be convertible
    """The network cannot be converted; the text is the reason, without a full stop."""


@dataclass(frozen=True)
class _Images:
    """Images that are decoded when they are needed, since hundreds of them need not fit into memory."""

    predictor: Predictor
    paths: Sequence[str]
    skipped: dict[str, str]
    """Receives the images that cannot be read or decoded, and why."""

    def __iter__(self) -> Iterator[tuple[int, Pixels]]:
        for row, path in enumerate(self.paths):
            try:
                yield row, self.predictor.pixels(Path(path).read_bytes())
            except (OSError, ImageRejected) as error:
                self.skipped[path] = first_line(error)


def run(request: Request, target: Path) -> Converted:
    """Write the LiteRT file of a model to `target`, and return what it and the model predict.

    Raises:
        UserError: The model is rejected or cannot be loaded or converted, or none of the images is readable.
    """
    tensorflow_start.start()
    options = EngineOptions(engine="tensorflow", force_float32=True)
    predictor = Predictor.load(Path(request.model), request.trust, options)
    skipped: dict[str, str] = {}
    calibration = _Images(predictor, request.calibration, skipped)
    if request.precision == INT8 and next(iter(calibration), None) is None:
        raise UserError(f"None of the {len(request.calibration)} images for int8's ranges is readable: {_any(skipped)}")
    content = _converted(predictor, request, calibration)
    target.write_bytes(content)
    rows, expected, found = _both(predictor, _runner(content), _verification(predictor, request, skipped))
    if not rows:
        raise UserError(f"None of the {len(request.verification)} images is readable: {_any(skipped)}")
    return Converted(
        class_names=predictor.labels,
        warning=predictor.warning,
        image_size=predictor.info.image_size,
        resize_method=predictor.info.resize_method,
        rows=tuple(rows),
        skipped=skipped,
        expected=np.stack(expected),
        found=np.stack(found),
    )


def _any(skipped: Mapping[str, str]) -> str:
    return next((f"{path}: {reason}." for path, reason in skipped.items()), "")


def _verification(predictor: Predictor, request: Request, skipped: dict[str, str]) -> Iterator[tuple[int, Pixels]]:
    if request.verification:
        yield from _Images(predictor, request.verification, skipped)
    else:
        yield from enumerate(conversion.synthetic_images(predictor.info).pixels)


def _both(
    predictor: Predictor, run_file: Callable[[Pixels], NDArray[np.float32]], images: Iterator[tuple[int, Pixels]]
) -> tuple[list[int], list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    from image_classifier.inference.engines import pixel_functions

    rows, expected, found = [], [], []
    for row, pixels in images:
        with pixel_functions.full_float32():
            given = predictor.engine.run(pixels[np.newaxis]).probabilities
        rows.append(row)
        expected.append(_as_labelled(given, predictor)[0])
        found.append(run_file(pixels))
    return rows, expected, found


def _as_labelled(probabilities: NDArray[np.float32], predictor: Predictor) -> NDArray[np.float32]:
    return agreement.two_columns(probabilities) if len(predictor.labels) == 2 else probabilities


def _converted(predictor: Predictor, request: Request, calibration: _Images) -> bytes:
    reasons: list[str] = []
    for function in _functions(predictor, Path(request.model)):
        try:
            return _convert(_named(function, predictor), predictor, request.precision, calibration)
        except NotConverted as failure:
            reasons.append(str(failure))
    why = reasons[-1] if reasons else "no function of it from pixels gives its own probabilities"
    raise UserError(f"{request.model} cannot be converted to LiteRT: {why}.")


def _functions(predictor: Predictor, where: Path) -> Iterator[Any]:
    """Yield functions from pixels to the model's probabilities; those of doubtful origin only when they agree.

    Raises:
        UserError: The model returns NaN or infinity.
    """
    from image_classifier.inference.engines import pixel_functions

    engine: Any = predictor.engine
    sample = conversion.synthetic_images(predictor.info).pixels[:4]
    with pixel_functions.full_float32():
        expected = engine.probabilities(sample)
    if not np.isfinite(expected).all():
        raise UserError(
            f"{where} returns numbers that are not finite (NaN or infinity). Its weights are corrupt or its training "
            "diverged. Train it again."
        )
    for function in pixel_functions.candidates(engine, predictor.info, where):
        if isinstance(function.structured_outputs, Mapping):
            continue
        with pixel_functions.full_float32():
            found = agreement.measure(expected, np.asarray(function(sample), np.float32))
        if found.largest_difference <= agreement.TOLERANCE:
            yield function


def _named(function: Any, predictor: Predictor) -> Any:
    """Return the concrete function of one image at a time whose input and output have names."""
    import tensorflow as tf

    def answer(pixels: Any) -> dict[str, Any]:
        found = function(pixels)
        if found.shape[1] == 1 and len(predictor.labels) == 2:
            # So that an app finds a probability for each label.
            found = tf.concat([1 - found, found], axis=1)
        return {artifacts.PROBABILITIES: found}

    pixels = tf.TensorSpec((1, *predictor.info.image_size, 3), tf.uint8, name=exchange.INPUT)
    return tf.function(answer, autograph=False).get_concrete_function(pixels)


def _convert(function: Any, predictor: Predictor, precision: str, calibration: _Images) -> bytes:
    import tensorflow as tf

    engine: Any = predictor.engine
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], engine.model)
    if precision != FLOAT32:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == FLOAT16:
        converter.target_spec.supported_types = [tf.float16]
    if precision == INT8:
        # Operations without an integer kernel are an error, as they are for a chip that has no floating point.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: ([pixels[np.newaxis]] for _, pixels in calibration)
    try:
        return bytes(converter.convert())
    except Exception as error:  # the exception types of the converter are not public
        raise NotConverted(reason(str(error))) from error


def reason(message: str) -> str:
    """Return why a network was not converted, without a full stop, from the message of the converter."""
    lacking = sorted({name.strip() for names in _LACKING.findall(message) for name in names.split(",")})
    if lacking:
        return f"LiteRT has no {'operation' if len(lacking) == 1 else 'operations'} {', '.join(lacking)}"
    return first_line(ValueError(message.strip()))


def _runner(content: bytes) -> Callable[[Pixels], NDArray[np.float32]]:
    """Return a function from the pixels of one image, uint8 (h, w, 3), to probabilities (K,), by LiteRT's runtime."""
    import tensorflow as tf

    # Deprecated in favour of the package ai-edge-litert, whose runtime is the same and another 22 MB.
    interpreter = tf.lite.Interpreter(model_content=content, num_threads=available_processors())
    signature = interpreter.get_signature_runner()

    def run_file(pixels: Pixels) -> NDArray[np.float32]:
        found = signature(**{exchange.INPUT: pixels[np.newaxis]})
        return np.asarray(found[artifacts.PROBABILITIES][0], np.float32)

    return run_file


def main(folder: Path) -> int:
    """Run the request in `folder` and write the result there; return the exit code."""
    try:
        converted = run(exchange.read_request(folder), exchange.file_of(folder))
    except ExplainedError as error:
        exchange.write_error(folder, error)
        return 1
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        full = f"The LiteRT file cannot be written to {folder}: {cause(error)}. Make room there, or set TMPDIR."
        exchange.write_error(folder, PlatformError(full))
        return 1
    exchange.write_converted(folder, converted)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
