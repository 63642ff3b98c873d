"""Requests put together from the pieces in which they arrive."""

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import InvalidHeader, InvalidRequestLine, LimitRequestHeaders, ParseException

from image_classifier.serving.connections.request_reader import HEADER_BYTES, RequestReader

PLAIN = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789"
CHUNKED = (
    b"POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4;name=value\r\n0123\r\n6 \r\n456789\r\n0\r\nTrailer: x\r\n\r\n"
)
EMPTY = b"GET /c HTTP/1.1\r\nHost: x\r\n\r\n"


def incoming() -> RequestReader:
    """Return one that has seen nothing."""
    return RequestReader(Config(), ("127.0.0.1", 1))


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_requests_are_told_apart_whatever_the_pieces(step: int) -> None:
    """A plain, a chunked and an empty request behind each other, in pieces of any size -> each with its body."""
    found, sent, requests = incoming(), PLAIN + CHUNKED + EMPTY, []
    for start in range(0, len(sent), step):
        found.feed(sent[start : start + step])
        while found.whole:
            requests.append((found.request.path, found.body().read()))
            found.begin()
            found.feed(b"")
    assert requests == [("/a", b"0123456789"), ("/b", b"0123456789"), ("/c", b"")]
    assert not found.begun


def test_whole_body_is_given_without_a_copy() -> None:
    """A body of 1 MB in blocks -> two readings of the whole give the same object."""
    found, body = incoming(), b"x" * 2**20
    found.feed(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n")
    for start in range(0, len(body), 65536):
        found.feed(body[start : start + 65536])
    given = found.body()
    first = given.read(2**21)
    given.seek(0)
    assert first == body
    assert first is given.read()


def test_dropped_body_is_still_followed() -> None:
    """A body that is dropped in its middle -> nothing of it is kept, and the next request is found behind it."""
    found = incoming()
    found.feed(PLAIN[:-5])
    found.discard()
    found.feed(PLAIN[-5:] + EMPTY)
    assert (found.whole, found.received, found.body().read()) == (True, 10, b"")
    found.begin()
    found.feed(b"")
    assert found.request.path == "/c"


def test_what_is_missing_is_known_from_the_header() -> None:
    """Half a body -> the other half is missing; before the header nothing is known to be."""
    found = incoming()
    assert (found.begun, found.missing, found.announced) == (False, 0, None)
    found.feed(PLAIN[:-5])
    assert (found.begun, found.whole, found.missing, found.announced) == (True, False, 5, 10)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"\x16\x03\x01", InvalidRequestLine),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * HEADER_BYTES, LimitRequestHeaders),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", InvalidHeader),
        (CHUNKED[:59].replace(b"Host: x", b"Content-Length: 3") + b"\r\n\r\n", InvalidHeader),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n", OSError),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", OSError),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 5000, OSError),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 5000, OSError),
    ],
    ids=[
        "no letter",
        "endless header",
        "two lengths",
        "length and chunks",
        "size",
        "too long",
        "endless size",
        "trailers",
    ],
)
def test_what_cannot_be_followed_is_an_error(sent: bytes, error: type[Exception]) -> None:
    """A header or chunks that are none, or that never end -> an error, before more is gathered."""
    with pytest.raises(error):
        incoming().feed(sent)


@pytest.mark.parametrize(
    ("connection", "version", "closes"),
    [
        ("close", "1.1", True),
        ("close, x", "1.1", True),
        ("x , Close", "1.1", True),
        ("Keep-Alive, TE", "1.1", False),
        ("keep-alive\r\nConnection: close", "1.1", True),
        ("closed", "1.1", False),
        (",", "1.1", False),
        ("Keep-Alive, TE", "1.0", False),
        ("TE", "1.0", True),
        ("keep-alive, close", "1.0", True),
    ],
)
def test_connection_is_a_list_of_words(connection: str, version: str, closes: bool) -> None:
    """A Connection header with several words, lines and cases -> the connection ends when one of the words is close."""
    found = incoming()
    found.feed(f"GET / HTTP/{version}\r\nHost: x\r\nConnection: {connection}\r\n\r\n".encode())
    assert found.request.should_close() is closes


@pytest.mark.parametrize(
    "host", ["x", "", "x:80", "a.b-c_d:8080", "127.0.0.1:80", "[::1]:8080", "[::1]", "a%20b", "x:"]
)
def test_hosts_that_are_allowed(host: str) -> None:
    """Names, addresses and ports as RFC 3986 writes them, and an empty value -> a request."""
    found = incoming()
    found.feed(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert found.whole


@pytest.mark.parametrize(
    "lines",
    [
        "",
        "Host: a b",
        "Host: a/b",
        "Host: u@x",
        "Host: x:y",
        "Host: [x",
        "Host: x\r\nHost: x",
        "Host: x,y z",
        "Host: x:123456",
    ],
)
def test_host_must_be_one_that_can_be_understood(lines: str) -> None:
    """No Host, two, or what is not a host -> an error; HTTP/1.0 may leave it out."""
    head = f"GET / HTTP/1.1\r\n{lines}\r\n".encode() + (b"\r\n" if lines else b"")
    with pytest.raises(ParseException):
        incoming().feed(head)
    old = incoming()
    old.feed(b"GET / HTTP/1.0\r\n\r\n")
    assert old.whole


@pytest.mark.parametrize("step", [1, 1000])
def test_empty_lines_before_a_request_are_skipped(step: int) -> None:
    """CR LF before a first and a second request, in any pieces -> skipped; too many of them are an error."""
    found, sent = incoming(), b"\r\n\r\n" + EMPTY + b"\r\n" + EMPTY
    paths = []
    for start in range(0, len(sent), step):
        found.feed(sent[start : start + step])
        while found.whole:
            paths.append(found.request.path)
            found.begin()
            found.feed(b"")
    assert paths == ["/c", "/c"]
    with pytest.raises(InvalidRequestLine):
        incoming().feed(b"\r\n" * 9 + EMPTY)


@pytest.mark.parametrize(
    "coding", ["gzip, chunked", "gzip", "identity", "chunked, chunked", "chunked\r\nTransfer-Encoding: chunked"]
)
def test_transfer_codings_other_than_chunked_are_errors(coding: str) -> None:
    """A compressed, stacked or repeated transfer coding -> an error, not a body that is taken for a plain one."""
    with pytest.raises(ParseException):
        incoming().feed(f"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {coding}\r\n\r\n".encode())


def test_chunks_may_not_be_framing_alone() -> None:
    """Chunks of one byte with extensions of 4,000 -> an error after some MB, not after as many as there is patience."""
    found, chunk = incoming(), b"1;" + b"x" * 4000 + b"\r\ny\r\n"
    found.feed(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(250):
        found.feed(chunk)
    with pytest.raises(OSError, match="chunk"):
        found.feed(chunk * 50)


def test_small_chunks_are_followed() -> None:
    """20,000 chunks of one byte -> their bytes."""
    found = incoming()
    found.feed(
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\ny\r\n" * 20_000 + b"0\r\n\r\n"
    )
    assert found.body().read() == b"y" * 20_000
