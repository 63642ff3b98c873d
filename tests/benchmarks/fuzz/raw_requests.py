"""Raw requests, mostly invalid: the bytes sent on a separate connection, and how that connection ends."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from tests.platform import sample_images

CLOSE, HALF_CLOSE, RESET, WAIT = "closed", "half closed", "reset", "kept open"
WHOLE = "as it should be"
"""The kind of the few raw requests that must get 200."""
_METHODS = (
    *("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PRI", "BREW", "get", "", "GE T"),
    *("G\0T", "GÉT", "M" * 300),
)
_PATHS = (
    *("/ping", "/invocations", "/metrics", "/execution-parameters", "/models", "/models/a", "/models/a/invoke", "/"),
    *("", "*", "//ping", "/ping/", "/ping?a=b&a=%00", "/ping#part", "/ping;x", "/%00", "/ping%00", "/%ff%fe%fd"),
    *("/ünï", "/日本", "/models/%2e%2e/invoke", "/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/models/%00/invoke"),
    *("/models/" + "a" * 4_000, "/" + "a" * 9_000, "http://elsewhere/ping", "http://[::1/ping", "elsewhere:443", "/%"),
    *("/%zz", "/ping\t", "/\\ping", "/models?next_page_token=%ff", "/static/../ping"),
)
_LENGTHS = (
    *("-1", "+5", "0x10", "5, 5", "5,6", " ", "", "5 5", "1e3", "٣", "9" * 40, "18446744073709551616", "26214401"),
    *("5\0", "00005", "5;q=1"),
)
_CODINGS = (
    *("gzip", "identity", "chunked, gzip", "gzip, chunked", "chunked, chunked", "CHUNKED", "chunked;q=1", " chunked"),
    *("xchunked", "chunked\0", '"chunked"', "", ",", "chunked,"),
)
_CHUNKS = (
    *(b"ZZZ\r\n", b"-1\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"1_0\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"\r\n", b"\n"),
    *(b"", b"FFFFFFFFFFFFFFFF\r\nhello", b"F" * 5_000, b"5\r\nhell", b"5\r\nhello", b"5\r\nhelloXX", b"5\r\nhello\r\n"),
    *(b"5;a=b\r\nhello\r\n0\r\n\r\n", b"5;" + b"a" * 9_000 + b"\r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n", b"0\r\n"),
    *(b"0\r\nX: y\r\n\r\n", b"0\r\nno colon\r\n\r\n", b"0\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
    *(b" 5 \r\nhello\r\n0\r\n\r\n", b"1\r\na\r\n" * 500 + b"0\r\n\r\n", b"0\r\n\r\nGARBAGE\r\n\r\n"),
    b"5\r\nhello\r\n0\r\n\r\nGET /ping HTTP/1.1\r\n\r\n",
)
_HEADERS = (
    *(b"No colon", b": no name", b"Na me: x", b"Na\0me: x", b"Name : x", b"Name: \0", b"N\xffme: \xff\xfe", b" folded"),
    *(b"X: a\r\n folded", b"X: a\rb", b"X: " + b"a" * 9_000, b"X: " + b"a" * 100_000, b"X" * 9_000 + b": a"),
    *(b"\r\n".join(b"X-%d: y" % number for number in range(150)), b"Host: x\r\nHost: y", b"Host:", b"Host: \xff"),
    *(b"Expect: 100-continue", b"Expect: a miracle", b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings"),
    *(b"Upgrade: websocket\r\nConnection: Upgrade", b"Connection: close, keep-alive", b"Connection: \0"),
    *(b"Connection: x", b"Content-Encoding: gzip", b"X-Forwarded-Proto: https", b"SCRIPT_NAME: /x", b"Script-Name: /x"),
    *(b"Trailer: X", b"Accept: " + b"a/b;q=0.1," * 700, b'Accept: "', b"Accept: \xe9"),
    *(b"Accept: application/json;verbose;n_predictions=\xb2", b"Content-Type: \xff", b'Content-Type: "'),
    *(b"Content-Type: " + b";" * 5_000, b"Content-Type: application/json;" * 2),
    *(b"X-Amzn-SageMaker-Custom-Attributes: " + b"\x01\x7f\xe9" * 30, b"X-Amzn-SageMaker-Target-Model: ../../x"),
    *(b"X-Amzn-SageMaker-Inference-Id: \xc3\xa9\t", b"Range: bytes=0-", b"Cookie: \xff", b"Proxy: x"),
)
_FIRST_LINES = (
    *(b"", b"\r\n", b"\n\n\n", b"\0" * 100, b"GARBAGE", b"GET", b"GET /ping", b"GET /ping HTTP", b"GET /ping HTTP/9.9"),
    *(b"GET /ping HTTP/1.10", b"GET /ping HTTP/0.9", b"GET /ping HTTP/1.0", b"GET /ping FTP/1.1"),
    *(b"GET  /ping HTTP/1.1", b"GET\t/ping\tHTTP/1.1", b" GET /ping HTTP/1.1", b"GET /ping HTTP/1.1 "),
    *(b"GET /ping\0 HTTP/1.1", b"G" * 100_000, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    *(b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\xff\xfe\xfd"),
    *("GET /é HTTP/1.1".encode(), b"GET /ping HTTP/1.1\n", b"HTTP/1.1 200 OK"),
)


@dataclass(frozen=True)
class RawRequest:
    """What is sent and how the sender then ends: `CLOSE`, `HALF_CLOSE`, `RESET` or `WAIT` for the server to do so."""

    kind: str
    content: bytes
    ending: str = HALF_CLOSE
    unknown_coding: bool = False
    """Whether RFC 9112, 6.1, asks for 501: it names a transfer coding that the server does not know."""


def every_raw_request() -> Iterator[RawRequest]:
    """Yield each listed mistake once."""
    image = sample_images.encode(sample_images.plain(), "PNG")
    for method, path in itertools.product(_METHODS, _PATHS):
        yield RawRequest("method and path", f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    for first in _FIRST_LINES:
        yield RawRequest("first line", first + b"\r\nHost: x\r\n\r\n")
    for length, body in itertools.product(_LENGTHS, (b"", b"hello", image)):
        yield RawRequest("length", _post(f"Content-Length: {length}".encode(), body))
    for coding, body in itertools.product(_CODINGS, (b"", b"5\r\nhello\r\n0\r\n\r\n")):
        yield RawRequest("coding", _post(f"Transfer-Encoding: {coding}".encode(), body), unknown_coding=True)
    for chunks in _CHUNKS:
        yield RawRequest("chunks", _post(b"Transfer-Encoding: chunked", chunks))
    for line in _HEADERS:
        yield RawRequest("header", b"GET /ping HTTP/1.1\r\n" + line + b"\r\n\r\n")
        yield RawRequest("header", _post(line + b"\r\nContent-Length: %d" % len(image), image))
    yield from _pipelines(image)
    yield from _endings(image)


def _post(headers: bytes, body: bytes) -> bytes:
    return b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n" + headers + b"\r\n\r\n" + body


def _pipelines(image: bytes) -> Iterator[RawRequest]:
    ping = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"
    good, text = _post(b"Content-Length: %d" % len(image), image), _post(b"Content-Length: 5", b"hello")
    unread = b"PUT /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n" + bytes(70_000)
    smuggled = _post(b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n") + ping
    twice = _post(b"Content-Length: 5\r\nContent-Length: 6", b"hello") + ping
    parts = (ping, good, text, unread, smuggled, twice, b"GARBAGE\r\n\r\n", b"\0" * 50, b"\r\n\r\n")
    for first, second in itertools.product(parts, parts):
        yield RawRequest("pipelined", first + second + ping)
    yield RawRequest("pipelined", ping * 50)
    yield RawRequest("pipelined", good * 10)


def _endings(image: bytes) -> Iterator[RawRequest]:
    whole = _post(b"Connection: close\r\nContent-Length: %d" % len(image), image)
    chunked = _post(b"Transfer-Encoding: chunked", b"%x\r\n" % len(image) + image + b"\r\n0\r\n\r\n")
    for ending in (CLOSE, HALF_CLOSE, RESET):
        for request, part in itertools.product((whole, chunked), range(9)):
            yield RawRequest(f"broken off, {ending}", request[: len(request) * part // 8], ending)
    for ending in (WAIT, HALF_CLOSE):
        yield RawRequest(WHOLE, whole, ending)
    yield RawRequest("promised much", _post(b"Content-Length: 26214400", image), CLOSE)


def mutated(count: int, seed: int, sources: Sequence[RawRequest]) -> Iterator[RawRequest]:
    """Yield `count` of the listed requests with bytes changed, left out and put in, the same for the same seed."""
    random = Random(seed)
    for _ in range(count):
        source = random.choice(sources)
        content = bytearray(source.content[:20_000])
        for _ in range(random.randint(1, 6)):
            at, what = random.randrange(len(content) + 1), random.randrange(3)
            put_in = bytes([random.choice(b"\0\r\n :;,0123456789\x7f\xff%")])
            content[at : at + (what != 2)] = b"" if what == 0 else put_in
        ending = random.choice((HALF_CLOSE, HALF_CLOSE, HALF_CLOSE, CLOSE, RESET))
        yield RawRequest("bytes changed", bytes(content), ending, unknown_coding=True)
