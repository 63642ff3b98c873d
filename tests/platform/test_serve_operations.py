"""A server of two workers: shared metrics, access log, execution parameters, a body of 1 GB."""

import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.platform import sample_images
from tests.platform.serving import Server, running, start_server
from tests.support.waiting import wait_until

IMAGES = 40


@pytest.fixture(scope="module")
def server(colour_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers that have classified 40 images together; their temporary files are removed at the end."""
    tree = tmp_path_factory.mktemp("opt-ml")
    shutil.copytree(colour_models / "both+openvino", tree / "model")
    (tree / "tmp").mkdir()
    with running(start_server(tree, SAGEMAKER_MODEL_SERVER_WORKERS="2", TMPDIR=str(tree / "tmp"))) as found:
        wait_until(lambda: found.log().count("Ready on port") == 2, 60, "both processes are ready")
        image = sample_images.encode(sample_images.plain(), "PNG")
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: found.classify(image).status, range(IMAGES)))
        assert answers == [200] * IMAGES
        yield found
    assert list((tree / "tmp").iterdir()) == []


def counted(server: Server, name: str) -> float:
    """Return the sum of a metric over all labels."""
    families = text_string_to_metric_families(server.ask("/metrics").body.decode())
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


def test_every_worker_returns_the_metrics_of_all(server: Server) -> None:
    """Given 40 images on two workers -> /metrics returns 40 each time, whichever worker answers."""
    found = {counted(server, "image_classifier_request_images_sum") for _ in range(8)}
    assert found == {IMAGES}
    assert counted(server, "image_classifier_model_info") == 1


def test_metrics_outlive_a_worker(server: Server) -> None:
    """Given one worker that is killed -> it is restarted, and the 40 images are still counted."""
    before = server.workers()
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: server.log().count("Ready on port") == 3, 60, "a new process is ready")
    assert {counted(server, "image_classifier_request_images_sum") for _ in range(8)} == {IMAGES}
    assert counted(server, "image_classifier_requests_in_progress") == 0


def test_log_has_a_line_per_image(server: Server) -> None:
    """Given 40 images and many health checks -> 40 lines of JSON in the log, each with its times."""
    lines = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
    answered = [line for line in lines if line["path"] == "/invocations" and line["status"] == 200]
    assert len(answered) == IMAGES
    assert {line["path"] for line in lines} == {"/invocations"}
    for line in answered:
        assert 0 < line["engine_ms"] <= line["total_ms"]


def test_execution_parameters_of_batch_transform(server: Server) -> None:
    """Given the defaults -> /execution-parameters returns the three values, at most 100 MB in flight."""
    answer = server.ask("/execution-parameters").json
    assert sorted(answer) == ["BatchStrategy", "MaxConcurrentTransforms", "MaxPayloadInMB"]
    assert answer["MaxConcurrentTransforms"] * answer["MaxPayloadInMB"] <= 100


def test_a_gigabyte_is_rejected_by_its_content_length(server: Server) -> None:
    """Given a Content-Length of 1 GB, as in asynchronous inference -> 413 before the body, flat memory."""
    before = server.resident_megabytes()
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        head = "POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-image\r\n"
        connection.sendall(f"{head}Content-Length: {1 << 30}\r\n\r\n".encode())
        rejected = b""
        while block := connection.recv(65536):
            rejected += block
    assert rejected.startswith(b"HTTP/1.1 413 ")
    assert b"25 MB" in rejected
    assert server.resident_megabytes() - before < 5
