"""A request's header, parsed by gunicorn and held to what RFC 9112 and the platform ask for beyond that."""

import re
from typing import Any

from gunicorn.http.errors import InvalidHeader, ParseException, UnsupportedTransferCoding
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader

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


class MissingHost(ParseException):  # type: ignore[misc, unused-ignore]
    """An HTTP/1.1 request without the header Host (RFC 9112, 3.2)."""

    def __str__(self) -> str:
        return "HTTP/1.1 needs the header Host"


class RequestHead(Request):  # type: ignore[misc, unused-ignore]
    """gunicorn's request, whose Connection header is read as the list of words that it is (RFC 9110, 7.6.1)."""

    def should_close(self) -> bool:
        """Say whether the connection ends with the answer."""
        if self.must_close:
            return True
        values = ",".join(value for name, value in self.headers if name == "CONNECTION")
        words = {word.strip().lower() for word in values.split(",")}
        return "close" in words or (self.version <= (1, 0) and "keep-alive" not in words)


def parse(cfg: Any, header: bytes, client: Any, number: int) -> RequestHead:
    """Parse a whole header, the empty line at its end included.

    Raises:
        ParseException: It is not HTTP; one of gunicorn's errors that say how.
    """
    request = RequestHead(cfg, IterUnreader([header]), client, number)
    hosts = [value for name, value in request.headers if name == "HOST"]
    if not hosts and request.version >= (1, 1):
        raise MissingHost
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise InvalidHeader("HOST")
    codings = [value for name, value in request.headers if name == "TRANSFER-ENCODING"]
    # gunicorn would take a compressed body for a plain one.
    if codings and (len(codings) > 1 or codings[0].lower() != "chunked"):
        raise UnsupportedTransferCoding(", ".join(codings)[:100])
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
    """Return the rejection of a request by the length of a header in bytes."""
    message = f"The header {name} has {length:,} bytes; at most {LONGEST_VALUE:,} are allowed. Shorten it."
    return RejectedError(431, "header_too_long", message)
