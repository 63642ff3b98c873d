"""Incremental parsing of requests."""

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import InvalidHeader, InvalidRequestLine, LimitRequestHeaders, ParseException

from image_classifier.serving.connections.chunks import MalformedChunkError
from image_classifier.serving.connections.request_reader import HEADER_BYTES, RequestReader

PLAIN = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789"
CHUNKED = (
    b"POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4;name=value\r\n0123\r\n6 \r\n456789\r\n0\r\nTrailer: x\r\n\r\n"
)
EMPTY = b"GET /c HTTP/1.1\r\nHost: x\r\n\r\n"


def new_reader() -> RequestReader:
    """Return a reader without any data."""
    return RequestReader(Config(), ("127.0.0.1", 1))


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_pipelined_requests_are_separated(step: int) -> None:
    """Given a plain, a chunked and an empty request in sequence, in pieces of any size -> each with its body."""
    reader, sent, requests = new_reader(), PLAIN + CHUNKED + EMPTY, []
    for start in range(0, len(sent), step):
        reader.feed(sent[start : start + step])
        while reader.is_complete:
            requests.append((reader.request.path, reader.take_body().read()))
            reader.next_request()
            reader.feed(b"")
    assert requests == [("/a", b"0123456789"), ("/b", b"0123456789"), ("/c", b"")]
    assert not reader.has_started


def test_body_is_returned_without_a_copy() -> None:
    """Given a body of 1 MB in blocks -> reading it whole twice returns the same object."""
    reader, body = new_reader(), b"x" * 2**20
    reader.feed(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n")
    for start in range(0, len(body), 65536):
        reader.feed(body[start : start + 65536])
    stream = reader.take_body()
    first = stream.read(2**21)
    stream.seek(0)
    assert first == body
    assert first is stream.read()


def test_discarded_body_is_skipped() -> None:
    """Given a body that is discarded halfway -> none of it is kept, and the next request is reader after it."""
    reader = new_reader()
    reader.feed(PLAIN[:-5])
    reader.discard()
    reader.feed(PLAIN[-5:] + EMPTY)
    assert (reader.is_complete, reader.received, reader.take_body().read()) == (True, 10, b"")
    reader.next_request()
    reader.feed(b"")
    assert reader.request.path == "/c"


def test_missing_bytes_follow_from_the_header() -> None:
    """Given half a body -> the other half is missing; before the header the number is 0."""
    reader = new_reader()
    assert (reader.has_started, reader.missing, reader.content_length) == (False, 0, None)
    reader.feed(PLAIN[:-5])
    assert (reader.has_started, reader.is_complete, reader.missing, reader.content_length) == (True, False, 5, 10)


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"\x16\x03\x01", InvalidRequestLine),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * HEADER_BYTES, LimitRequestHeaders),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", InvalidHeader),
        (CHUNKED[:59].replace(b"Host: x", b"Content-Length: 3") + b"\r\n\r\n", InvalidHeader),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n", MalformedChunkError),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", MalformedChunkError),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 5000, MalformedChunkError),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 5000,
            MalformedChunkError,
        ),
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
def test_invalid_or_endless_requests_are_errors(sent: bytes, error: type[Exception]) -> None:
    """Given an invalid or endless header or chunk -> an error before more bytes are buffered."""
    with pytest.raises(error):
        new_reader().feed(sent)


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
def test_connection_header_is_a_list(connection: str, version: str, closes: bool) -> None:
    """Given a Connection header with several options, lines and cases -> it closes if one of them is `close`."""
    reader = new_reader()
    reader.feed(f"GET / HTTP/{version}\r\nHost: x\r\nConnection: {connection}\r\n\r\n".encode())
    assert reader.request.should_close() is closes


@pytest.mark.parametrize(
    "host", ["x", "", "x:80", "a.b-c_d:8080", "127.0.0.1:80", "[::1]:8080", "[::1]", "a%20b", "x:"]
)
def test_valid_hosts_are_accepted(host: str) -> None:
    """Given names, addresses and ports as in RFC 3986, or an empty value -> the request is accepted."""
    reader = new_reader()
    reader.feed(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert reader.is_complete


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
def test_invalid_hosts_are_rejected(lines: str) -> None:
    """Given no Host, two, or an invalid one -> an error; HTTP/1.0 may omit it."""
    head = f"GET / HTTP/1.1\r\n{lines}\r\n".encode() + (b"\r\n" if lines else b"")
    with pytest.raises(ParseException):
        new_reader().feed(head)
    old = new_reader()
    old.feed(b"GET / HTTP/1.0\r\n\r\n")
    assert old.is_complete


@pytest.mark.parametrize("step", [1, 1000])
def test_empty_lines_before_a_request_are_skipped(step: int) -> None:
    """Given CR LF before the first and the second request, in any pieces -> skipped; too many are an error."""
    reader, sent = new_reader(), b"\r\n\r\n" + EMPTY + b"\r\n" + EMPTY
    paths = []
    for start in range(0, len(sent), step):
        reader.feed(sent[start : start + step])
        while reader.is_complete:
            paths.append(reader.request.path)
            reader.next_request()
            reader.feed(b"")
    assert paths == ["/c", "/c"]
    with pytest.raises(InvalidRequestLine):
        new_reader().feed(b"\r\n" * 9 + EMPTY)


@pytest.mark.parametrize(
    "coding", ["gzip, chunked", "gzip", "identity", "chunked, chunked", "chunked\r\nTransfer-Encoding: chunked"]
)
def test_transfer_codings_other_than_chunked_are_errors(coding: str) -> None:
    """Given a compressed, stacked or repeated transfer coding -> an error instead of a misinterpreted body."""
    with pytest.raises(ParseException):
        new_reader().feed(f"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {coding}\r\n\r\n".encode())


def test_chunk_framing_is_limited() -> None:
    """Given chunks of one byte with extensions of 4,000 -> an error after some MB."""
    reader, chunk = new_reader(), b"1;" + b"x" * 4000 + b"\r\ny\r\n"
    reader.feed(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(250):
        reader.feed(chunk)
    with pytest.raises(MalformedChunkError, match="chunk"):
        reader.feed(chunk * 50)


def test_small_chunks_are_decoded() -> None:
    """Given 20,000 chunks of one byte -> their bytes."""
    reader = new_reader()
    reader.feed(
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\ny\r\n" * 20_000 + b"0\r\n\r\n"
    )
    assert reader.take_body().read() == b"y" * 20_000
