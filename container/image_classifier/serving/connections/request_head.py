"""A request's header, parsed by gunicorn and checked against what RFC 9112 and the platform require beyond that."""

import re
from typing import Any

from image_classifier.serving.connections.gunicorn_internals import RequestHead, parse_errors
from image_classifier.serving.rejection import RejectedError

LONGEST_VALUE = 1024
"""Bytes of a header that is parsed or sent back, its repetitions included; InvokeEndpoint's limit for each of them."""
_LIMITED = {
    "ACCEPT": "Accept",
    "CONTENT-TYPE": "Content-Type",
    "X-AMZN-SAGEMAKER-CUSTOM-ATTRIBUTES": "X-Amzn-SageMaker-Custom-Attributes",
}
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]{2,45}\]|[-.\w~!$&'()*+,;=%]*)(?::\d{0,5})?", re.ASCII)
"""RFC 3986, 3.2.2 and 3.2.3; may be empty (RFC 9110, 7.2)."""


class MissingHost(parse_errors.ParseException):  # type: ignore[misc, unused-ignore]
    """An HTTP/1.1 request without a Host header (RFC 9112, 3.2)."""

    def __str__(self) -> str:
        return "HTTP/1.1 requires a Host header"


def parse(cfg: Any, header: bytes, client: Any, number: int) -> RequestHead:
    """Parse a complete header, including the empty line at its end.

    Raises:
        ParseException: It is not valid HTTP; one of gunicorn's errors, which says how.
    """
    request = RequestHead(cfg, header, client, number)
    hosts = request.values("HOST")
    if not hosts and request.version >= (1, 1):
        raise MissingHost
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise parse_errors.InvalidHeader("HOST")
    codings = request.values("TRANSFER-ENCODING")
    # gunicorn would treat a compressed body as an uncompressed one.
    if codings and (len(codings) > 1 or codings[0].lower() != "chunked"):
        raise parse_errors.UnsupportedTransferCoding(", ".join(codings)[:100])
    return request


def check_lengths(request: RequestHead) -> None:
    """Check the headers whose values are parsed later or sent back.

    Raises:
        RejectedError: One of them is longer than `LONGEST_VALUE` bytes, its repetitions together (431).
    """
    lengths: dict[str, int] = {}
    for name, value in request.headers:
        if name in _LIMITED:
            lengths[name] = lengths.get(name, -1) + 1 + len(value)
    for name, length in lengths.items():
        if length > LONGEST_VALUE:
            raise too_long(_LIMITED[name], length)


def too_long(name: str, length: int) -> RejectedError:
    """Return the rejection of a request with a header of `length` bytes."""
    message = f"The header {name} has {length:,} bytes; at most {LONGEST_VALUE:,} are allowed. Shorten it."
    return RejectedError(431, "header_too_long", message)
