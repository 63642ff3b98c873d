"""The engine alone: decode and run the network in threads of one process, without a server.

    python -m tests.benchmarks.serving.bare WORDS

Started by runs.py with the slim environment's Python; WORDS is JSON: model folder, small images, large images,
seconds. Prints "ready" after the first answer and a line of JSON for each load, then waits for its end.
"""

import io
import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from PIL import Image

from image_classifier import artifacts, imaging
from image_classifier.resources.processors import available_processors


def main() -> None:
    """Be the process that is measured."""
    folder, small, large, seconds = json.loads(sys.argv[1])
    size = artifacts.read_model_info(Path(folder)).image_size
    threads = available_processors()
    requests = compile_requests(Path(folder) / artifacts.OPENVINO_DIR, size, threads)
    images, enlarged = ([Path(name).read_bytes() for name in names] for names in (small, large))
    _answer(requests[0], images[0], size)
    print("ready", flush=True)
    _measure(requests, images, size, 0.5)
    for used, sent in ((requests[:1], images), (requests, images), (requests, enlarged)):
        print(json.dumps(_measure(used, sent, size, seconds)), flush=True)
    print(json.dumps(_largest_differences(requests[0], enlarged, size)), flush=True)
    sys.stdin.read()


def compile_requests(network: Path, size: tuple[int, int], streams: int, precision: str = "f32") -> list[Any]:
    """Compile the IR in a folder for images of a size, and return a request for each stream."""
    core = openvino.Core()
    model = core.read_model(network / artifacts.OPENVINO_FILES[0])
    model.reshape([1, *size, 3])
    wanted = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": streams,
        "NUM_STREAMS": streams,
        "ENABLE_CPU_PINNING": False,
    }
    compiled = core.compile_model(model, "CPU", wanted)
    requests = [compiled.create_infer_request() for _ in range(streams)]
    for request in requests:
        # OpenVINO's binding looks NumPy up at the first use of `data`; two threads doing so at once wait for ever.
        _ = request.get_input_tensor().data
    return requests


def _answer(request: Any, image: bytes, size: tuple[int, int]) -> NDArray[np.float32]:
    return run(request, imaging.load_pixels(image, size))


def run(request: Any, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the probabilities of one image, uint8 (h, w, 3)."""
    request.get_input_tensor().data[0] = pixels
    request.start_async()
    request.wait()
    return np.array(request.get_output_tensor(0).data[0], np.float32)


def _measure(requests: Sequence[Any], images: Sequence[bytes], size: tuple[int, int], seconds: float) -> list[Any]:
    """Return seconds and the milliseconds of every answer, one thread per request."""
    times: list[list[float]] = [[] for _ in requests]
    end = time.perf_counter() + seconds

    def work(number: int) -> None:
        turn, now = number, time.perf_counter()
        while now < end:
            _answer(requests[number], images[turn % len(images)], size)
            then, now = now, time.perf_counter()
            times[number].append(1000 * (now - then))
            turn += 1

    began = time.perf_counter()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [time.perf_counter() - began, [milliseconds for found in times for milliseconds in found]]


def _largest_differences(request: Any, images: Sequence[bytes], size: tuple[int, int]) -> dict[str, float]:
    """Return the largest |Δp| between reduced-scale decoding and decoding every pixel, "full".

    And of both against every pixel decoded and resized in floating point, "exact" and "full_exact": Pillow resizes in
    8 bits and rounds twice, which alone changes probabilities.
    """
    found: dict[str, list[NDArray[np.float32]]] = {}
    for image in images:
        exact = run(request, _resized_exactly(image, size))
        reduced, full = _answer(request, image, size), _answer(request, _unpacked(image), size)
        for name, difference in (("full", reduced - full), ("exact", reduced - exact), ("full_exact", full - exact)):
            found.setdefault(name, []).append(difference)
    return {name: float(np.abs(differences).max()) for name, differences in found.items()}


def _resized_exactly(jpeg: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(jpeg)) as image:
        bands = [np.asarray(band, np.float32) for band in image.convert("RGB").split()]
    wanted = (size[1], size[0])
    resized = [np.asarray(Image.fromarray(band).resize(wanted, Image.Resampling.BILINEAR)) for band in bands]
    return np.asarray(np.clip(np.rint(np.stack(resized, axis=-1)), 0, 255), np.uint8)


def _unpacked(jpeg: bytes) -> bytes:
    file = io.BytesIO()
    with Image.open(io.BytesIO(jpeg)) as image:
        image.save(file, "BMP")
    return file.getvalue()


if __name__ == "__main__":
    main()
