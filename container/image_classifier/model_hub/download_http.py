"""Download a file from a web server: retries, resumption, limited size, checksum, atomic placement.

Exceptions of libraries are never chained here: their texts may quote the address, and a traceback would show its
secrets.
"""

import base64
import contextlib
import hashlib
import time
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO
from urllib import request
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import urllib3
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError, LocationParseError, LocationValueError, MaxRetryError

from image_classifier import durable_files
from image_classifier.contract.addresses import cut_out, without_secrets
from image_classifier.contract.errors import ExplainedError, PlatformError, UserError
from image_classifier.model_hub.download import MAX_BYTES, check_size, checked_sha256, wrong_content

ATTEMPTS = 4
"""Of one request, and of transfers in a row that bring no new byte."""
FIRST_PAUSE_SECONDS = 0.5
"""Before a retry; doubled before each further one."""
_MAX_REDIRECTS = 10
_TIMEOUT_SECONDS = 60
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_HINTS = {
    401: "The file requires a login",
    403: "The file may require a login or an accepted licence",
    404: "The server does not have this model, version or file",
    410: "The file has been withdrawn",
}
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
_BLOCK = 1 << 20


class AbsentError(UserError):
    """The server has no such file."""


def is_secure(address: str) -> bool:
    """Return whether an address is protected against modification in transit: https, or http on this machine."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _THIS_MACHINE)


def fetch(address: str, into: Path, sha256: str | None = None, max_bytes: int = MAX_BYTES) -> str:
    """Download a file to `into`, which appears only when it is complete and checked; return its sha256.

    A user and password in the address are sent to its server alone, not to the targets of redirects. An interrupted
    transfer is resumed with a range request where the server supports it.

    Raises:
        ExplainedError: The server rejects the request or does not answer, or the file is too large or has another
            checksum; no message shows user info, query or fragment of the address.
    """
    into.parent.mkdir(parents=True, exist_ok=True)
    with durable_files.replacing(into) as partial:
        with partial.open("wb") as file:
            stated_md5 = _receive(address, file, max_bytes)
        if stated_md5 and stated_md5 != (found := _md5(partial)):
            raise wrong_content(without_secrets(address), f"MD5 {found}; the server itself states {stated_md5}")
        return checked_sha256(without_secrets(address), partial, sha256)


def _receive(address: str, file: BinaryIO, max_bytes: int) -> str | None:
    """Write the content to `file` and return the MD5 that the server states."""
    shown, version, failures, most = without_secrets(address), None, 0, 0
    while True:
        with contextlib.closing(_open(address, file.tell(), version)) as response:
            resumed = response.status == HTTPStatus.PARTIAL_CONTENT
            start = file.tell() if resumed else 0
            if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                raise PlatformError(f"{shown} sent another range of the file than was requested. Try again.")
            file.truncate(file.seek(start))
            check_size(shown, start + _stated_length(response), max_bytes)
            version = _validator(response)
            try:
                for block in response.stream(_BLOCK, decode_content=False):
                    check_size(shown, file.tell() + file.write(block), max_bytes)
            except HTTPError as error:
                reason = _reason(error, address)
            else:
                return _stated_md5(response)
        failures, most = (0, file.tell()) if file.tell() > most else (failures + 1, most)
        if failures >= ATTEMPTS:
            raise _unreachable(shown, reason)
        pause = FIRST_PAUSE_SECONDS * 2 ** max(failures - 1, 0)
        print(f"{shown}: {reason} after {file.tell() / 1e6:.1f} MB. Retrying in {pause:g} s.", flush=True)
        time.sleep(pause)
        if version is None:
            file.truncate(file.seek(0))


def _open(address: str, start: int, version: str | None) -> BaseHTTPResponse:
    """Request the file from byte `start` on, provided it still has this version (RFC 9110, sections 13.1.5 and 14)."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "image-classifier"}
    if start and version:
        headers |= {"Range": f"bytes={start}-", "If-Range": version}
    try:
        url, login = _split_login(address)
        for _ in range(_MAX_REDIRECTS):
            response = _request(url, headers | login)
            if not (location := response.get_redirect_location()):
                break
            response.close()
            url, login = _redirected(address, url, location), {}
        else:
            raise UserError(
                f"{without_secrets(address)} redirects more than {_MAX_REDIRECTS} times. Check the address."
            )
    except MaxRetryError as error:
        raise _unreachable(without_secrets(address), _reason(error.reason or error, address)) from None
    except (LocationParseError, LocationValueError, ValueError):
        raise UserError(
            f"{without_secrets(address)} is not a valid address: its host, port or characters are invalid, or those of "
            "a proxy in the environment. Encode spaces and special characters as %XX."
        ) from None
    except HTTPError as error:
        raise _unreachable(without_secrets(address), _reason(error, address)) from None
    if response.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        response.close()
        raise _rejection(address, response)
    return response


def _split_login(address: str) -> tuple[str, dict[str, str]]:
    """Return the address without user info and fragment, and the header that carries the user info."""
    parts = urlsplit(address)
    user_info, at, host = parts.netloc.rpartition("@")
    url = parts._replace(netloc=host, fragment="").geturl()
    if not at:
        return url, {}
    user, _, password = user_info.partition(":")
    return url, {"Authorization": _basic(user, password)}


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()


def _request(url: str, headers: dict[str, str]) -> BaseHTTPResponse:
    retries = urllib3.Retry(
        ATTEMPTS - 1,
        backoff_factor=FIRST_PAUSE_SECONDS,
        status_forcelist=_RETRIED,
        raise_on_status=False,
        respect_retry_after_header=False,
    )
    return _pool(urlsplit(url)).request(
        "GET", url, headers=headers, redirect=False, retries=retries, timeout=_TIMEOUT_SECONDS, preload_content=False
    )


def _pool(parts: SplitResult) -> urllib3.PoolManager:
    """Return a pool that uses the proxy that the environment names for an address, as curl and pip do."""
    proxy = request.getproxies().get(parts.scheme)
    if not proxy or request.proxy_bypass(parts.hostname or ""):
        return urllib3.PoolManager()
    given = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    user_info, at, host = given.netloc.rpartition("@")
    user, _, password = user_info.partition(":")
    login = {"Proxy-Authorization": _basic(user, password)} if at else None
    return urllib3.ProxyManager(given._replace(netloc=host).geturl(), proxy_headers=login)


def _redirected(address: str, url: str, location: str) -> str:
    """Return a redirect's target; never from https to anything else, nor to another scheme than http and https."""
    target = urljoin(url, location)
    allowed = ("https",) if urlsplit(url).scheme == "https" else ("https", "http")
    if urlsplit(target).scheme not in allowed:
        raise UserError(
            f"{without_secrets(address)} redirects to {without_secrets(target)}, which is not protected against "
            "modification in transit. Give an https address that redirects to https only."
        )
    return target


def _rejection(address: str, response: BaseHTTPResponse) -> ExplainedError:
    shown, status = without_secrets(address), response.status
    answer = cut_out(f"{status} {response.reason or ''}".rstrip(), address)
    if status >= 500 or status in _RETRIED:
        return _unreachable(shown, f"the server answered {answer}")
    kind = AbsentError if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE) else UserError
    return kind(
        f"{shown} answered {answer}. {_HINTS.get(status, 'The server rejects the request')}. A folder, an archive or a "
        "mirror can be staged too."
    )


def _unreachable(shown: str, reason: str) -> PlatformError:
    return PlatformError(
        f"{shown} cannot be downloaded: {reason} ({ATTEMPTS} attempts in a row). Check the network and try again."
    )


def _stated_length(response: BaseHTTPResponse) -> int:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else 0


def _validator(response: BaseHTTPResponse) -> str | None:
    etag = response.headers.get("ETag")
    # A weak ETag is not allowed in If-Range.
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")


def _stated_md5(response: BaseHTTPResponse) -> str | None:
    """Return the MD5 that Google's storage states (https://cloud.google.com/storage/docs/xml-api/reference-headers)."""
    # A file that is stored compressed and sent decompressed has the checksum of its compressed form.
    if response.headers.get("x-goog-stored-content-encoding", "identity") == "identity":
        for item in response.headers.get("x-goog-hash", "").split(","):
            name, _, value = item.strip().partition("=")
            if name == "md5":
                return value
    return None


def _md5(file: Path) -> str:
    with file.open("rb") as content:
        return base64.b64encode(hashlib.file_digest(content, "md5").digest()).decode()


def _reason(error: BaseException, address: str) -> str:
    return cut_out(str(error) or type(error).__name__, address)
