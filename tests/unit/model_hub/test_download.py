"""Downloads over HTTP: whole, cut, resumed, rejected, checked."""

import base64
import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.model_hub import download
from image_classifier.model_hub.download_http import AbsentError, WebFile
from tests.support.faulty_server import Cut, FaultyServer, serving
from tests.support.waiting import free_port

CONTENT = random.Random(0).randbytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    """Serve one file of 3 MB as /file."""
    with serving(FaultyServer({"/file": CONTENT})) as running:
        yield running


def fetch(server: FaultyServer, folder: Path, sha256: str | None = None, **options: int) -> str:
    """Download the file."""
    return download.fetch(WebFile(f"{server.address}/file"), folder / "file", sha256, **options)


def test_whole_file_and_its_checksum(server: FaultyServer, tmp_path: Path) -> None:
    """A server without faults -> the file and its sha256, one request, nothing else left."""
    assert fetch(server, tmp_path, SHA256.upper()) == SHA256
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert server.asked == [("/file", None)]


def test_cut_connection_is_continued(server: FaultyServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Cut after 1,000,000 and again 500,000 bytes later -> only what is missing is asked for, and the file is whole."""
    server.faults = [Cut(1_000_000), Cut(500_000)]
    assert fetch(server, tmp_path, SHA256) == SHA256
    assert [part for _, part in server.asked] == [None, "bytes=1000000-", "bytes=1500000-"]
    assert "after 1.0 MB; trying again" in capsys.readouterr().out


def test_next_run_continues_where_the_last_one_ended(server: FaultyServer, tmp_path: Path) -> None:
    """Cut, then rejected -> an error; the same download later -> starts at the byte that is missing."""
    server.faults = [Cut(2_000_000), 403]
    with pytest.raises(UserError, match="403"):
        fetch(server, tmp_path)
    assert not (tmp_path / "file").exists()
    assert fetch(server, tmp_path) == SHA256
    assert server.asked[-1] == ("/file", "bytes=2000000-")


def test_other_address_does_not_continue(server: FaultyServer, tmp_path: Path) -> None:
    """A part of one address, then another address under the same name -> from the first byte."""
    server.files["/other"] = b"another file"
    server.faults = [Cut(1_000), 404]
    with pytest.raises(UserError):
        fetch(server, tmp_path)
    download.fetch(WebFile(f"{server.address}/other"), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"another file"


def test_changed_file_is_fetched_anew(server: FaultyServer, tmp_path: Path) -> None:
    """Half a file, then another content under the same address -> the new content, none of the old."""
    server.faults = [Cut(1_000_000), 403]
    with pytest.raises(UserError):
        fetch(server, tmp_path)
    server.files["/file"] = CONTENT[::-1]
    fetch(server, tmp_path)
    assert (tmp_path / "file").read_bytes() == CONTENT[::-1]


def test_server_without_versions_is_asked_from_the_start(server: FaultyServer, tmp_path: Path) -> None:
    """No ETag and no Last-Modified, cut once -> the second request asks for all of it."""
    server.with_etag = False
    server.faults = [Cut(1_000_000)]
    assert fetch(server, tmp_path) == SHA256
    assert [part for _, part in server.asked] == [None, None]


def test_500_twice_then_200(server: FaultyServer, tmp_path: Path) -> None:
    """Two server errors -> the third attempt's file."""
    server.faults = [500, 500]
    assert fetch(server, tmp_path) == SHA256
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("status", "kind", "hint"),
    [(401, UserError, "asks for a login"), (403, UserError, "accepted licence"), (404, AbsentError, "no such model")],
)
def test_rejection_is_one_sentence_and_not_asked_again(
    server: FaultyServer, tmp_path: Path, status: int, kind: type[Exception], hint: str
) -> None:
    """401, 403, 404 -> address, status, what to do; one request."""
    server.faults = [status]
    with pytest.raises(kind, match=rf"/file answered {status} .*{hint}.*can be staged too"):
        fetch(server, tmp_path)
    assert len(server.asked) == 1


def test_wrong_checksum_is_not_kept(server: FaultyServer, tmp_path: Path) -> None:
    """A file that is not the one meant -> both checksums, and nothing is left that could be taken for it."""
    with pytest.raises(PlatformError, match=rf"sha256 {SHA256}; expected 0000"):
        fetch(server, tmp_path, "0" * 64)
    assert not list(tmp_path.iterdir())


def test_servers_own_checksum_is_heeded(server: FaultyServer, tmp_path: Path) -> None:
    """An x-goog-hash that is another file's -> rejected; that of the file -> taken."""
    server.headers = {"x-goog-hash": "crc32c=AAAAAA==,md5=AAAAAAAAAAAAAAAAAAAAAA=="}
    with pytest.raises(PlatformError, match="the server itself says AAAA"):
        fetch(server, tmp_path)
    server.headers = {"x-goog-hash": "md5=" + base64.b64encode(hashlib.md5(CONTENT).digest()).decode()}
    assert fetch(server, tmp_path) == SHA256


def test_size_is_bounded(server: FaultyServer, tmp_path: Path) -> None:
    """A file larger than the limit -> rejected before it is read, nothing kept."""
    with pytest.raises(UserError, match="larger than 2,999,999 bytes"):
        fetch(server, tmp_path, max_bytes=2_999_999)
    assert not list(tmp_path.iterdir())


def test_nobody_answers(tmp_path: Path) -> None:
    """A port where nobody listens -> four attempts, then one sentence."""
    with pytest.raises(PlatformError, match=r"cannot be fetched: .*rejected .*4 attempts in a row"):
        download.fetch(WebFile(f"http://127.0.0.1:{free_port()}/file"), tmp_path / "file")


def test_processes_take_turns(server: FaultyServer, tmp_path: Path) -> None:
    """Eight downloads of one file to one place at once -> each returns the checksum of the whole file."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: fetch(server, tmp_path), range(8)))
    assert found == [SHA256] * 8
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
