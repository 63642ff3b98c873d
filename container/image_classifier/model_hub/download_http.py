"""Files of web servers, read with the standard library."""

import base64
import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from image_classifier.contract.addresses import cut_out, without_secrets
from image_classifier.contract.errors import UserError
from image_classifier.model_hub.download import Answer, ChangedError, TransientError

_TRANSIENT = frozenset({408, 425, 429})
_HINTS = {
    401: "The file asks for a login",
    403: "The file may ask for a login or an accepted licence",
    404: "There is no such model, version or file",
    410: "The file has been withdrawn",
}
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


class AbsentError(UserError):
    """The server has no such file."""


def is_secure(address: str) -> bool:
    """Say whether nothing on the way can change what an address sends: it is https, or http of this machine."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _THIS_MACHINE)


class _InsecureRedirectError(Exception):
    """The server leads on to where anybody on the way can change what is sent; the text says where to."""


class _SecureRedirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects, but never from https to anything else, nor to another scheme than http and https."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        to, secure = urlsplit(newurl).scheme.lower(), req.type == "https"
        if to != "https" and (secure or to != "http"):
            fp.close()
            raise _InsecureRedirectError(without_secrets(newurl))
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@dataclass(frozen=True)
class WebFile:
    """One address of a web server; see `download.Source`. A user and password in it are sent to that server alone."""

    identity: str
    """The whole address, with its secrets."""

    @property
    def address(self) -> str:
        """Without user info, query and fragment."""
        return without_secrets(self.identity)

    def open(self, start: int, version: str | None) -> Answer:
        """Ask for the file from byte `start` on, if it still has this version (RFC 9110, sections 13.1.5 and 14)."""
        headers = {"Accept-Encoding": "identity", "User-Agent": "image-classifier"}
        if start and version:
            headers |= {"Range": f"bytes={start}-", "If-Range": version}
        # None of the exceptions is chained: their texts may quote the address, and a traceback would show it.
        try:
            answer = urllib.request.build_opener(_SecureRedirects).open(self._request(headers), timeout=60)
        except urllib.error.HTTPError as error:
            error.close()
            raise self._rejected(error) from None
        except _InsecureRedirectError as error:
            raise UserError(
                f"{self.address} leads on to {error}, where what is sent can be changed on the way. It is not "
                "followed: give an https address that leads to https alone."
            ) from None
        except (http.client.InvalidURL, ValueError):
            raise UserError(
                f"{self.address} is not an address that can be asked: its host, port or characters are invalid, or "
                "those of a proxy in the environment. Encode spaces and special characters as %XX."
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise TransientError(_reason(error, self.identity)) from None
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
        return Answer(_Stream(answer, self.identity), start if resumed else 0, total, strong, _md5(given))

    def _request(self, headers: dict[str, str]) -> urllib.request.Request:
        parts = urlsplit(self.identity)
        user_info, at, host = parts.netloc.rpartition("@")
        request = urllib.request.Request(parts._replace(netloc=host, fragment="").geturl(), headers=headers)
        if at:
            user, _, password = user_info.partition(":")
            basic = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
            # Not sent again where a redirect leads to.
            request.add_unredirected_header("Authorization", f"Basic {basic}")
        return request

    def _rejected(self, error: urllib.error.HTTPError) -> Exception:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return ChangedError()
        said = cut_out(f"{error.code} {error.reason}", self.identity)
        if error.code >= 500 or error.code in _TRANSIENT:
            return TransientError(f"the server answered {said}")
        kind = AbsentError if error.code in (404, 410) else UserError
        return kind(
            f"{self.address} answered {said}. {_HINTS.get(error.code, 'The server rejects it')}. "
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
    identity: str

    def read(self, count: int) -> bytes:
        try:
            return bytes(self.answer.read(count))
        except (OSError, http.client.HTTPException) as error:
            raise TransientError(_reason(error, self.identity)) from None

    def close(self) -> None:
        self.answer.close()


def _reason(error: BaseException, identity: str) -> str:
    return cut_out(str(getattr(error, "reason", "") or error or type(error).__name__), identity)
