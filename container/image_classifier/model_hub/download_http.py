"""Files of web servers, read with the standard library."""

import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from image_classifier.contract.errors import UserError
from image_classifier.model_hub.download import Answer, ChangedError, TransientError

_TRANSIENT = frozenset({408, 425, 429})
_HINTS = {
    401: "The file asks for a login",
    403: "The file may ask for a login or an accepted licence",
    404: "There is no such model, version or file",
    410: "The file has been withdrawn",
}
SECURE = ("https://", "http://127.0.0.1:", "http://localhost:")
"""How addresses begin that are asked: nobody on the way can change what is sent."""


class AbsentError(UserError):
    """The server has no such file."""


@dataclass(frozen=True)
class WebFile:
    """One address of a web server; see `download.Source`."""

    address: str

    def open(self, start: int, version: str | None) -> Answer:
        """Ask for the file from byte `start` on, if it still has this version (RFC 9110, sections 13.1.5 and 14)."""
        headers = {"Accept-Encoding": "identity", "User-Agent": "image-classifier"}
        if start and version:
            headers |= {"Range": f"bytes={start}-", "If-Range": version}
        try:
            answer = urllib.request.urlopen(urllib.request.Request(self.address, headers=headers), timeout=60)
        except urllib.error.HTTPError as error:
            error.close()
            raise _refused(self.address, error) from error
        except (OSError, http.client.HTTPException) as error:
            raise TransientError(_reason(error)) from error
        resumed = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        given = answer.headers
        if resumed and not str(given.get("Content-Range")).startswith(f"bytes {start}-"):
            answer.close()
            raise ChangedError
        length = given.get("Content-Length")
        total = int(length) + (start if resumed else 0) if length and length.isdecimal() else None
        etag = given.get("ETag")
        # A weak ETag must not be sent in If-Range.
        strong = etag if etag and not etag.startswith("W/") else given.get("Last-Modified")
        return Answer(_Stream(answer), start if resumed else 0, total, strong, _md5(given))


def _refused(address: str, error: urllib.error.HTTPError) -> Exception:
    if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return ChangedError()
    if error.code >= 500 or error.code in _TRANSIENT:
        return TransientError(f"the server answered {error.code} {error.reason}")
    kind = AbsentError if error.code in (404, 410) else UserError
    return kind(
        f"{address} answered {error.code} {error.reason}. {_HINTS.get(error.code, 'The server refuses it')}. "
        "A folder, an archive or a mirror can be staged too."
    )


def _md5(headers: Any) -> str | None:
    """Return the MD5 that Google's storage says (https://cloud.google.com/storage/docs/xml-api/reference-headers)."""
    for line in headers.get_all("x-goog-hash") or []:
        for item in line.split(","):
            name, _, value = item.strip().partition("=")
            # A stored file that is sent decompressed has the sum of its compressed form.
            if name == "md5" and headers.get("x-goog-stored-content-encoding", "identity") == "identity":
                return str(value)
    return None


@dataclass(frozen=True)
class _Stream:
    answer: Any

    def read(self, count: int) -> bytes:
        try:
            return bytes(self.answer.read(count))
        except (OSError, http.client.HTTPException) as error:
            raise TransientError(_reason(error)) from error

    def close(self) -> None:
        self.answer.close()


def _reason(error: BaseException) -> str:
    return str(getattr(error, "reason", "") or error or type(error).__name__)
