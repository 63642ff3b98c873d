"""A server of a model with features: lines, embeddings, thresholds, bodies of 100 MB."""

import base64
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.platform import sample_images
from tests.platform.serving import Server, running, start_server
from tests.support.waiting import wait_until

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def server(colour_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with OpenVINO as started by batch transform."""
    tree = tmp_path_factory.mktemp("opt-ml")
    shutil.copytree(colour_models / "pixels+openvino", tree / "model")
    with running(start_server(tree, SAGEMAKER_BATCH="true", SERVE_ENGINE="openvino")) as found:
        yield found


def line(data: bytes) -> bytes:
    """Encode an image as a line without its end."""
    return json.dumps({"b64": base64.b64encode(data).decode()}).encode()


def parsed_lines(server: Server, body: bytes, accept: str = "application/jsonlines") -> list[Any]:
    """Send lines; return the parsed lines of the response."""
    answer = server.ask("/invocations", body, Content_Type="application/jsonlines", Accept=accept)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/jsonlines"), answer.body[:1000]
    assert answer.body.endswith(b"\n")
    return [json.loads(found) for found in answer.body.splitlines()]


def test_lines_and_single_images_agree(server: Server) -> None:
    """Given fifty images of different colours in lines with CR LF -> the prediction that each gets alone."""
    colours = np.random.default_rng(3).integers(0, 256, (50, 3))
    images = [sample_images.encode(Image.new("RGB", (40, 30), tuple(map(int, colour))), "PNG") for colour in colours]
    body = b"\r\n".join(map(line, images)) + b"\r\n\r\n"
    found = parsed_lines(server, body, "application/jsonlines;verbose")
    assert len(found) == 50
    for image, entry in zip(images, found, strict=True):
        assert entry == server.classify(image, Accept="application/json;verbose").json
    assert len({entry["predicted_label"] for entry in found}) == 3


def test_bad_lines_do_not_affect_others(server: Server) -> None:
    """Given a truncated image, a bomb and invalid JSON among images -> an error in each of their lines."""
    plain, workers = sample_images.encode(sample_images.plain(), "JPEG"), server.workers()
    body = b"\n".join([line(plain), line(plain[: len(plain) // 2]), line(sample_images.bomb()), b"{", line(plain)])
    first, *rejected, last = parsed_lines(server, body)
    assert first == last == server.classify(plain).json
    assert [entry["error"] for entry in rejected] == ["corrupt", "too_many_pixels", "invalid_json"]
    assert all(list(entry) == ["error", "message"] for entry in rejected)
    assert server.workers() == workers


def test_embedding_is_the_pooled_features(server: Server) -> None:
    """Given Accept ;embedding -> the means of the image's halves, which this network pools, to 4 digits."""
    answer = server.classify(
        sample_images.encode(sample_images.plain(), "PNG"), Accept="application/json;embedding"
    ).json
    assert list(answer) == ["probabilities", "embedding"]
    expected = [channel / 255 for channel in (*sample_images.GREEN, *sample_images.RED)]
    assert answer["embedding"] == pytest.approx(expected, abs=0.02)
    both = parsed_lines(
        server, line(sample_images.encode(sample_images.plain(), "PNG")), "application/json;embedding;verbose"
    )
    assert list(both[0]) == ["probabilities", "labels", "predicted_label", "embedding"]
    assert both[0]["embedding"] == answer["embedding"]


def test_threshold_selects_labels(server: Server) -> None:
    """Given a green image and thresholds 0.5 and 1 -> only green, and no label; 2 is rejected."""
    image = sample_images.encode(sample_images.plain(), "PNG")
    above = server.classify(image, Accept="application/json;verbose;threshold=0.5").json
    assert (above["labels"], above["predicted_label"], len(above["probabilities"])) == (["green"], "green", 1)
    none = server.classify(image, Accept="application/json;verbose;threshold=1.0").json
    assert none == {"probabilities": [], "labels": [], "predicted_label": None}
    rejected = server.classify(image, Accept="application/json;verbose;threshold=2")
    assert (rejected.status, rejected.json["error"]) == (406, "not_acceptable")


@pytest.mark.every
def test_hundred_megabytes_of_lines_keep_memory_flat(server: Server) -> None:
    """Given almost 100 MB of images in lines, twice -> all classified, with little more memory than one body."""
    file = io.BytesIO()
    Image.new("RGB", (160, 120), sample_images.GREEN).save(file, "BMP")
    one = line(file.getvalue()) + b"\n"
    count = 99 * MEGABYTE // len(one)
    before = server.resident_megabytes()
    for _ in range(2):
        answer = server.ask("/invocations", one * count, Content_Type="application/jsonlines")
        assert answer.status == 200, answer.body
        assert answer.body.count(b"\n") == answer.body.count(b'{"probabilities":[') == count > 1000
        # The thread releases the body a moment after the client has read the last byte.
        wait_until(lambda: server.resident_megabytes() - before < 20, 10, "the memory of the body is free again")
    assert peak_megabytes(server) - before < 99 + 60


def peak_megabytes(server: Server) -> float:
    """Return the peak resident memory of the first worker."""
    status = Path(f"/proc/{server.workers()[0]}/status").read_text()
    found = next(entry for entry in status.splitlines() if entry.startswith("VmHWM:"))
    return int(found.split()[1]) / 1024
