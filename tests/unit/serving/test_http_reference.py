"""docs/reference/http.md against the server: its example requests and its table of errors."""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from image_classifier import PROGRAM
from image_classifier.inference.predictor import Predictor
from image_classifier.serving.app import create_app
from image_classifier.serving.connections import admission, request_head, request_work
from image_classifier.serving.formats import response_files
from image_classifier.serving.formats.json_bodies import MAX_INSTANCES, MAX_LINES
from image_classifier.serving.page import browsers
from image_classifier.serving.processes.model_loader import ModelLoader
from image_classifier.serving.rejection import body_incomplete
from image_classifier.serving.settings import MEGABYTE, ServingSettings
from tests.platform import sample_images
from tests.platform.sample_images import listed
from tests.support import tiny_models
from tests.unit.inference import colours

PAGE = (PROGRAM.parent / "docs" / "reference" / "http.md").read_text(encoding="utf-8")
EXAMPLES: list[tuple[str, str]] = re.findall(r"```http\n(.*?)```\n\n```json\n(.*?)```", PAGE, re.DOTALL)
ELSEWHERE = {"internal_error", "timeout", "deadline_exceeded", "no_memory"}
"""Codes covered by other tests: a failing model, a slow connection, a deadline, no memory."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelLoader:
    """A model of three classes with features."""
    folder = colours.save(tmp_path_factory.mktemp("features"), "pixels")
    tiny_models.write_familiarity(folder)
    loading = ModelLoader(lambda: Predictor.load(folder), pytest.fail)
    loading.start()
    assert loading.wait(60)
    return loading


@pytest.fixture(scope="module")
def client_with_features(model: ModelLoader) -> FlaskClient:
    """The application that serves it."""
    return create_app(model, ServingSettings(explain=True)).test_client()


def send(client: FlaskClient, request: str, photograph: bytes) -> Any:
    """Send a request in the page's notation."""
    head, _, body = request.partition("\n\n")
    first, *headers = head.strip().splitlines()
    method, path = first.split()
    content = base64.b64encode(photograph).decode()
    data = photograph if body.strip() == "<photo.jpg>" else body.replace("<photo.jpg>", content).encode()
    named = dict(line.split(": ", 1) for line in headers)
    return client.open(path, method=method, data=data or None, headers=named)


def shape(value: Any) -> Any:
    """Return the structure of a JSON value: keys in order, lengths, types."""
    if isinstance(value, dict):
        return value if "error" in value else [(key, shape(entry)) for key, entry in value.items()]
    if isinstance(value, list):
        return [shape(entry) for entry in value]
    return "number" if isinstance(value, int | float) else type(value).__name__


@pytest.mark.parametrize(("request_text", "answer"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_match_the_server(
    client_with_features: FlaskClient, green: bytes, request_text: str, answer: str
) -> None:
    """Given each request of the page, with a photo -> 200 and the keys, types and lengths of the response below it."""
    found = send(client_with_features, request_text, green)
    assert found.status_code == 200, found.data
    lines = "jsonlines" in request_text
    assert found.headers["Content-Type"] == ("application/jsonlines" if lines else "application/json")
    answered, shown = ([json.loads(line) for line in text.splitlines()] for text in (found.data.decode(), answer))
    assert shape(answered) == shape(shown)


def test_page_has_an_example_of_every_parameter() -> None:
    """Given the page -> an example of each Accept parameter."""
    requests = "".join(request for request, _ in EXAMPLES)
    assert len(EXAMPLES) >= 10
    for word in (
        ";verbose",
        ";n_predictions=",
        ";threshold=",
        ";embedding",
        ";ood",
        "application/jsonlines",
        "instances",
    ):
        assert word in requests


@dataclass(frozen=True)
class Row:
    """A row of the table of errors."""

    status: int
    code: str
    message: str

    def describes(self, status: int, code: str, message: str) -> bool:
        """Return whether an error is this one."""
        parts = re.split(r"(<(?!base64)[^>]+>)", self.message)
        pattern = "".join(".+" if part.startswith("<") else re.escape(part) for part in parts)
        return (status, code) == (self.status, self.code) and re.fullmatch(pattern, message, re.DOTALL) is not None


ROWS = [Row(int(s), c, m) for s, c, m in re.findall(r"^\| (\d{3}) \| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE)]


def errors(client_with_features: FlaskClient, bare: FlaskClient, loading: FlaskClient, green: bytes) -> Iterator[Any]:
    """Yield a response for each error that a request can cause; `bare` has no features, `loading` no model."""

    def send(
        data: bytes,
        content_type: str | None = "application/x-image",
        accept: str = "*/*",
        client: Any = client_with_features,
    ) -> Any:
        named = {"Accept": accept} | ({"Content-Type": content_type} if content_type else {})
        return client.post("/invocations", data=data, headers=named)

    lists, lines = "application/json", "application/jsonlines"
    yield from (
        send(b""),
        send(b'{"b64": ""}\n', lines),
        send(b"\n", lines),
        send(b"text"),
        send(bytes(9)),
        send(green[:200]),
    )
    yield from (send(b"II*\0" + bytes(99)), send(green, accept="application/json;verbos"))
    for wrong in (b"{", b"{}", b'{"instances": [7]}', b'{"instances": [{"b64": "?"}]}'):
        yield send(wrong, lists)
    for wrong in (
        b"7",
        b'{"instances": 7}',
        b'{"instances": 7, "inputs": 7}',
        b'{"instances": ["eA=="]}',
        b'{"instances": [{}]}',
    ):
        yield send(wrong, lists)
    yield send(b'{"instances": [{"b64": "data:image/png;base64,eA=="}]}', lists)
    yield from (send(base64.b64encode(green)), send(sample_images.as_text(green)), send(b"[[0]]\n", lines))
    for content_type in ("multipart/form-data", "application/x-www-form-urlencoded"):
        yield send(b"text", content_type)
    for encoding in ("gzip", "br"):
        yield client_with_features.post("/invocations", data=b"text", headers={"Content-Encoding": encoding})
    yield send(b'{"instances": [' + b'{"b64": "eA=="},' * MAX_INSTANCES + b'{"b64": "eA=="}]}', lists)
    for wrong in (b"1,2", b"{}", b"[" + b"{}," * 200 + b"{}]", b'{"b64": "eA=="}\n' * (MAX_LINES + 1)):
        yield send(wrong, lines)
    yield from (send(b"1,2", "text/csv"), send(b"1,2", None), send(green, accept="text/csv"))
    for parameter in ("embedding", "ood", "explain"):
        yield send(green, accept=f"application/json;{parameter}", client=bare)
    for body, content_type in ((listed([green] * 2), lists), (b'{"b64": "eA=="}\n', lines)):
        yield send(body, content_type, "application/json;explain")
    yield send(bytes(26 * MEGABYTE))
    yield from (send(sample_images.bomb()), send(sample_images.webp_of_one_colour()))
    yield send(sample_images.listed([sample_images.header_of_a_large_jpeg()] * 6), lists)
    yield send(green[:2] + b"\xff\xfe\0\2" * 5_000 + green[2:])
    yield from (
        client_with_features.get("/nothing"),
        client_with_features.get("/invocations"),
        send(green, client=loading),
    )


def test_table_of_errors_matches_the_server(
    client_with_features: FlaskClient, client: FlaskClient, green: bytes
) -> None:
    """Given a request for each kind of error -> status, code and sentence of a row; every row is matched once."""
    waiting = create_app(
        ModelLoader(lambda: pytest.fail("never started"), pytest.fail), ServingSettings()
    ).test_client()
    unused = [row for row in ROWS if row.code not in ELSEWHERE]
    for answer in errors(client_with_features, client, waiting, green):
        said = json.loads(answer.data.splitlines()[0])
        status = 400 if answer.status_code == 200 else answer.status_code
        described = [row for row in ROWS if row.describes(status, said["error"], said["message"])]
        assert described, (answer.status_code, said)
        unused = [row for row in unused if row not in described]
    made_elsewhere = (
        admission.busy(64),
        admission.no_memory(100 * MEGABYTE),
        request_work.too_many_explanations(),
        admission.no_thread(),
        admission.too_slow_for_others(),
        response_files.no_room(MEGABYTE),
        response_files.no_disk("No space left on device"),
        body_incomplete(),
        request_head.too_long("Accept", 1025),
        browsers.foreign_host("evil.example", ("localhost",)),
        browsers.foreign_site(),
    )
    for rejected in made_elsewhere:
        described = [row for row in ROWS if row.describes(rejected.status, rejected.code, rejected.message)]
        assert described, rejected.message
        unused = [row for row in unused if row not in described]
    assert unused == []


def test_every_code_of_the_program_is_in_the_table() -> None:
    """Given the rejections in the program's source, with their status -> a row each, or a page of their own."""
    found = set()
    for path in (PROGRAM / "image_classifier" / "serving").rglob("*.py"):
        if "multi_model" in path.parts:
            continue
        found |= set(re.findall(r'RejectedError\(\s*(\d{3}),\s*"(\w+)"', path.read_text(encoding="utf-8")))
    assert len(found) > 10
    shown = {(str(row.status), row.code) for row in ROWS}
    assert {(status, code) for status, code in found if code != "client_gone"} - shown == set()


def test_row_of_another_error_does_not_match() -> None:
    """Given a row with another sentence, status or code -> no match."""
    row = Row(400, "corrupt", "The image is corrupt: <reason>. Send it again.")
    assert row.describes(400, "corrupt", "The image is corrupt: cut off. Send it again.")
    assert not row.describes(400, "corrupt", "The image is corrupt: cut off.")
    assert not replace(row, status=413).describes(400, "corrupt", "The image is corrupt: cut off. Send it again.")
