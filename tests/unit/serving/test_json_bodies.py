"""Lines of JSON with one image each, without HTTP; lists are tested in test_codecs.py."""

import pytest

from image_classifier.serving.formats import json_bodies
from image_classifier.serving.rejection import RejectedError


def rejection(body: bytes) -> RejectedError:
    """Return the rejection of lines."""
    with pytest.raises(RejectedError) as found:
        json_bodies.lines(body)
    return found.value


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b" \n\n \t\r\n"])
@pytest.mark.parametrize("last", [b"", b"\n", b"\r\n\r\n\n"])
def test_lines_may_end_with_lf_or_crlf(end: bytes, last: bytes) -> None:
    """Given three lines with each line end and blank lines between -> three images in order, other keys ignored."""
    body = end.join([b'{"b64": "Zmlyc3Q="}', b'{"id": [1, 2], "b64": "c2Vjb25k"}', b'  {"b64":"dGhpcmQ="}']) + last
    found = json_bodies.lines(body)
    assert [found.image(index) for index in range(len(found))] == [b"first", b"second", b"third"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", "invalid_json"),
        (b"\xff\xfe\xfa", "invalid_json"),
        (b"[" * 90, "invalid_json"),
        (b'{"b64": "eA=="}{"b64": "eA=="}', "invalid_json"),
        (b'{"b64": 7}', "invalid_line"),
        (b'{"instances": [{"b64": "eA=="}]}', "invalid_line"),
        (b'["eA=="]', "invalid_line"),
        (b'{"b64": "eA==", "others": [' + b"[]," * 1_000_000 + b"[]]}", "invalid_line"),
        (b'{"b64": "?"}', "invalid_base64"),
    ],
    ids=range(9),
)
def test_invalid_line_is_rejected_alone(line: bytes, code: str) -> None:
    """Given every kind of invalid line -> its code and a sentence; the next line is an image."""
    found = json_bodies.lines(line + b'\n{"b64": "eA=="}\n')
    with pytest.raises(RejectedError) as rejected:
        found.image(0)
    assert (rejected.value.status, rejected.value.code, rejected.value.message[-1]) == (400, code, ".")
    assert found.image(1) == b"x"


def test_number_of_lines_is_limited() -> None:
    """Given the maximum number of lines -> all of them; one more -> 413; a million blank ones -> 400."""
    line = b'{"b64": "eA=="}\n'
    assert len(json_bodies.lines(line * json_bodies.MAX_LINES)) == json_bodies.MAX_LINES
    many = rejection(line * (json_bodies.MAX_LINES + 1))
    assert (many.status, many.code) == (413, "too_many_lines")
    none = rejection(b" \r\n" * 1_000_000)
    assert (none.status, none.code) == (400, "empty")
