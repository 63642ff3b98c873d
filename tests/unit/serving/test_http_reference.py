"""docs/reference/http.md against the server: the requests that it shows, and its table of errors."""

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
from image_classifier.serving.connections import admission, request_head
from image_classifier.serving.formats import response_files
from image_classifier.serving.formats.json_bodies import MAX_INSTANCES, MAX_LINES
from image_classifier.serving.page import browsers
from image_classifier.serving.processes.model_loader import ModelLoader
from image_classifier.serving.rejection import body_incomplete
from image_classifier.serving.settings import MEGABYTE, Settings
from tests.platform import sample_images
from tests.unit.inference import colours

PAGE = (PROGRAM.parent / "docs" / "reference" / "http.md").read_text(encoding="utf-8")
EXAMPLES: list[tuple[str, str]] = re.findall(r"```http\n(.*?)```\n\n```json\n(.*?)```", PAGE, re.DOTALL)
ELSEWHERE = {"internal_error", "timeout", "deadline_exceeded", "no_memory"}
"""Codes that other tests provoke, with a model that fails, a slow connection, no time and no memory."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelLoader:
    """A model of three classes that answers features."""
    folder = colours.save(tmp_path_factory.mktemp("features"), "pixels")
    loading = ModelLoader(lambda: Predictor.load(folder), pytest.fail)
    loading.start()
    assert loading.wait(60)
    return loading


@pytest.fixture(scope="module")
def asked(model: ModelLoader) -> FlaskClient:
    """The application in front of it."""
    return create_app(model, Settings()).test_client()


def sent(client: FlaskClient, request: str, photograph: bytes) -> Any:
    """Send a request as the page writes it."""
    head, _, body = request.partition("\n\n")
    first, *headers = head.strip().splitlines()
    method, path = first.split()
    content = base64.b64encode(photograph).decode()
    data = photograph if body.strip() == "<photo.jpg>" else body.replace("<photo.jpg>", content).encode()
    named = dict(line.split(": ", 1) for line in headers)
    return client.open(path, method=method, data=data or None, headers=named)


def form(value: Any) -> Any:
    """Return what a JSON value is made of: keys in their order, lengths, kinds."""
    if isinstance(value, dict):
        return value if "error" in value else [(key, form(entry)) for key, entry in value.items()]
    if isinstance(value, list):
        return [form(entry) for entry in value]
    return "number" if isinstance(value, int | float) else type(value).__name__


@pytest.mark.parametrize(("request_text", "answer"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_are_answered_in_the_form_that_is_shown(
    asked: FlaskClient, green: bytes, request_text: str, answer: str
) -> None:
    """Each request of the page, with a photograph -> 200 and the keys, kinds and lengths of the answer below it."""
    found = sent(asked, request_text, green)
    assert found.status_code == 200, found.data
    lines = "jsonlines" in request_text
    assert found.headers["Content-Type"] == ("application/jsonlines" if lines else "application/json")
    answered, shown = ([json.loads(line) for line in text.splitlines()] for text in (found.data.decode(), answer))
    assert form(answered) == form(shown)


def test_page_has_an_example_of_every_form() -> None:
    """The page -> an example of each word that Accept may have."""
    requests = "".join(request for request, _ in EXAMPLES)
    assert len(EXAMPLES) >= 10
    for word in (";verbose", ";n_predictions=", ";threshold=", ";embedding", "application/jsonlines", "instances"):
        assert word in requests


@dataclass(frozen=True)
class Row:
    """A row of the table of errors."""

    status: int
    code: str
    message: str

    def describes(self, status: int, code: str, message: str) -> bool:
        """Say whether an error is this one."""
        parts = re.split(r"(<(?!base64)[^>]+>)", self.message)
        pattern = "".join(".+" if part.startswith("<") else re.escape(part) for part in parts)
        return (status, code) == (self.status, self.code) and re.fullmatch(pattern, message, re.DOTALL) is not None


ROWS = [Row(int(s), c, m) for s, c, m in re.findall(r"^\| (\d{3}) \| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE)]


def errors(asked: FlaskClient, bare: FlaskClient, loading: FlaskClient, green: bytes) -> Iterator[Any]:
    """Yield an answer for each error that a request can provoke; `bare` has no features, `loading` no model."""

    def send(
        data: bytes, content_type: str | None = "application/x-image", accept: str = "*/*", client: Any = asked
    ) -> Any:
        named = {"Accept": accept} | ({"Content-Type": content_type} if content_type else {})
        return client.post("/invocations", data=data, headers=named)

    lists, lines = "application/json", "application/jsonlines"
    yield from (send(b""), send(b'{"b64": ""}\n', lines), send(b"\n", lines), send(b"text"), send(green[:200]))
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
    for form in ("multipart/form-data", "application/x-www-form-urlencoded"):
        yield send(b"text", form)
    for encoding in ("gzip", "br"):
        yield asked.post("/invocations", data=b"text", headers={"Content-Encoding": encoding})
    yield send(b'{"instances": [' + b'{"b64": "eA=="},' * MAX_INSTANCES + b'{"b64": "eA=="}]}', lists)
    for wrong in (b"1,2", b"{}", b"[" + b"{}," * 200 + b"{}]", b'{"b64": "eA=="}\n' * (MAX_LINES + 1)):
        yield send(wrong, lines)
    yield from (send(b"1,2", "text/csv"), send(b"1,2", None), send(green, accept="text/csv"))
    yield send(green, accept="application/json;embedding", client=bare)
    yield send(bytes(26 * MEGABYTE))
    yield from (send(sample_images.bomb()), send(sample_images.webp_of_one_colour()))
    yield send(sample_images.listed([sample_images.header_of_a_large_jpeg()] * 6), lists)
    yield send(green[:2] + b"\xff\xfe\0\2" * 5_000 + green[2:])
    yield from (asked.get("/nothing"), asked.get("/invocations"), send(green, client=loading))


def test_every_error_of_the_table_is_what_is_answered(asked: FlaskClient, client: FlaskClient, green: bytes) -> None:
    """A request for each kind of error -> status, code and sentence of a row; and every row is answered by one."""
    waiting = create_app(ModelLoader(lambda: pytest.fail("never started"), pytest.fail), Settings()).test_client()
    unused = [row for row in ROWS if row.code not in ELSEWHERE]
    for answer in errors(asked, client, waiting, green):
        said = json.loads(answer.data.splitlines()[0])
        status = 400 if answer.status_code == 200 else answer.status_code
        described = [row for row in ROWS if row.describes(status, said["error"], said["message"])]
        assert described, (answer.status_code, said)
        unused = [row for row in unused if row not in described]
    made_elsewhere = (
        admission.busy(64),
        admission.no_memory(100 * MEGABYTE),
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
    """The rejections that the program's text names, with their status -> a row each, or a page of their own."""
    found = set()
    for path in (PROGRAM / "image_classifier" / "serving").rglob("*.py"):
        if "multi_model" in path.parts:
            continue
        found |= set(re.findall(r'RejectedError\(\s*(\d{3}),\s*"(\w+)"', path.read_text(encoding="utf-8")))
    assert len(found) > 10
    shown = {(str(row.status), row.code) for row in ROWS}
    assert {(status, code) for status, code in found if code != "client_gone"} - shown == set()


def test_row_of_another_error_is_not_mistaken() -> None:
    """A row with another sentence, status or code than the error's -> no match."""
    row = Row(400, "corrupt", "The image is corrupt: <reason>. Send it again.")
    assert row.describes(400, "corrupt", "The image is corrupt: cut off. Send it again.")
    assert not row.describes(400, "corrupt", "The image is corrupt: cut off.")
    assert not replace(row, status=413).describes(400, "corrupt", "The image is corrupt: cut off. Send it again.")
