"""Downloads over HTTP: complete, interrupted, rejected, too large, with a wrong checksum."""

import base64
import hashlib
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.model_hub import download_http
from image_classifier.model_hub.download_http import AbsentError
from tests.support.faulty_server import Cut, FaultyServer, serving
from tests.support.waiting import free_port

CONTENT = random.Random(0).randbytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    """Serve one file of 3 MB as /file."""
    with serving(FaultyServer({"/file": CONTENT})) as running:
        yield running


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry immediately."""
    monkeypatch.setattr(download_http, "FIRST_PAUSE_SECONDS", 0)


def fetch(server: FaultyServer, folder: Path, sha256: str | None = None, **options: int) -> str:
    """Download the file."""
    return download_http.fetch(f"{server.address}/file", folder / "file", sha256, **options)


def test_complete_file_and_its_checksum(server: FaultyServer, tmp_path: Path) -> None:
    """Given a server without faults -> the file and its sha256 after one request, and no other file."""
    assert fetch(server, tmp_path, SHA256.upper()) == SHA256
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert server.asked == [("/file", None)]


def test_interrupted_transfer_is_resumed(
    server: FaultyServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given cuts after 1,000,000 bytes and 500,000 bytes later -> only the missing bytes are requested."""
    server.faults = [Cut(1_000_000), Cut(500_000)]
    assert fetch(server, tmp_path, SHA256) == SHA256
    assert [part for _, part in server.asked] == [None, "bytes=1000000-", "bytes=1500000-"]
    assert "after 1.0 MB. Retrying in 0 s." in capsys.readouterr().out


def test_interrupted_transfer_without_a_validator_starts_over(server: FaultyServer, tmp_path: Path) -> None:
    """Given a server without ETag and Last-Modified, and one cut -> the second request is for the whole file."""
    server.with_etag = False
    server.faults = [Cut(1_000_000)]
    assert fetch(server, tmp_path) == SHA256
    assert [part for _, part in server.asked] == [None, None]


def test_file_that_changes_between_requests_starts_over(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a cut, then other content at the same address -> only the new content."""
    server.faults = [Cut(1_000_000)]

    def change(_: float) -> None:
        server.files["/file"] = CONTENT[::-1]

    monkeypatch.setattr("time.sleep", change)
    fetch(server, tmp_path)
    assert (tmp_path / "file").read_bytes() == CONTENT[::-1]


def test_rejection_after_a_cut_leaves_nothing(server: FaultyServer, tmp_path: Path) -> None:
    """Given a cut, then 403 -> UserError, and no file under any name."""
    server.faults = [Cut(2_000_000), 403]
    with pytest.raises(UserError, match="403"):
        fetch(server, tmp_path)
    assert not list(tmp_path.iterdir())


def test_server_errors_are_retried(server: FaultyServer, tmp_path: Path) -> None:
    """Given two server errors -> the file of the third attempt."""
    server.faults = [500, 503]
    assert fetch(server, tmp_path) == SHA256
    assert len(server.asked) == 3


def test_lasting_server_error_is_reported(server: FaultyServer, tmp_path: Path) -> None:
    """Given a server that keeps answering 503 -> PlatformError with the status after four requests."""
    server.faults = [503] * 9
    with pytest.raises(PlatformError, match=r"the server answered 503 .*\(4 attempts in a row\)"):
        fetch(server, tmp_path)
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    ("status", "kind", "hint"),
    [
        (401, UserError, "requires a login"),
        (403, UserError, "accepted licence"),
        (404, AbsentError, "does not have this model"),
    ],
)
def test_rejection_is_one_sentence_and_not_retried(
    server: FaultyServer, tmp_path: Path, status: int, kind: type[Exception], hint: str
) -> None:
    """Given 401, 403 or 404 -> an error with address, status and remedy after one request."""
    server.faults = [status]
    with pytest.raises(kind, match=rf"/file answered {status} .*{hint}.*can be staged too"):
        fetch(server, tmp_path)
    assert len(server.asked) == 1


def test_wrong_checksum_is_discarded(server: FaultyServer, tmp_path: Path) -> None:
    """Given a file with another sha256 than expected -> PlatformError with both, and no file."""
    with pytest.raises(PlatformError, match=rf"sha256 {SHA256}; expected 0000"):
        fetch(server, tmp_path, "0" * 64)
    assert not list(tmp_path.iterdir())


def test_checksum_of_the_server_is_verified(server: FaultyServer, tmp_path: Path) -> None:
    """Given an x-goog-hash of another file -> PlatformError; given that of the file -> accepted."""
    server.headers = {"x-goog-hash": "crc32c=AAAAAA==,md5=AAAAAAAAAAAAAAAAAAAAAA=="}
    with pytest.raises(PlatformError, match="the server itself states AAAA"):
        fetch(server, tmp_path)
    server.headers = {"x-goog-hash": "md5=" + base64.b64encode(hashlib.md5(CONTENT).digest()).decode()}
    assert fetch(server, tmp_path) == SHA256


def test_size_is_limited(server: FaultyServer, tmp_path: Path) -> None:
    """Given a file larger than the limit -> UserError, and no file."""
    with pytest.raises(UserError, match="larger than 2,999,999 bytes"):
        fetch(server, tmp_path, max_bytes=2_999_999)
    assert not list(tmp_path.iterdir())


def test_unreachable_server_is_reported(tmp_path: Path) -> None:
    """Given a port without a server -> PlatformError with the cause after four attempts."""
    with pytest.raises(PlatformError, match=r"cannot be downloaded: .*Connection refused.* \(4 attempts in a row\)"):
        download_http.fetch(f"http://127.0.0.1:{free_port()}/file", tmp_path / "file")


def test_concurrent_downloads_of_one_file(server: FaultyServer, tmp_path: Path) -> None:
    """Given eight concurrent downloads to the same path -> each returns the checksum, and one complete file is left."""
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: fetch(server, tmp_path), range(8)))
    assert found == [SHA256] * 8
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
