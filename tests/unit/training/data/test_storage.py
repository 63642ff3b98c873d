"""Reading from storage that fails now and then."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from image_classifier.class_folders import channel_listing
from image_classifier.class_folders.listing import Example, Listing
from image_classifier.class_folders.storage import Storage
from image_classifier.contract.errors import PlatformError
from image_classifier.training.data import dataset

TRANSIENT = ("EIO", "ESTALE", "ETIMEDOUT", "EAGAIN", "ENOENT", "ECONNRESET", "EREMOTEIO", "EHOSTDOWN", "EBUSY")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """Let opening a path fail with its pending error numbers before it succeeds."""
    pending: dict[str, list[int]] = {}
    real = Path.open

    def fails_first(self: Path, *args: Any, **options: Any) -> Any:
        if numbers := pending.get(self.name):
            number = numbers.pop(0)
            raise OSError(number, os.strerror(number), str(self))
        return real(self, *args, **options)

    monkeypatch.setattr(Path, "open", fails_first)
    return pending


@pytest.mark.parametrize("name", TRANSIENT)
def test_failure_that_passes_costs_nothing(
    tmp_path: Path, failing: dict[str, list[int]], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """A file whose first two reads fail -> its content, the retries counted and said once."""
    path = tmp_path / "1.jpg"
    path.write_bytes(b"content")
    failing["1.jpg"] = [getattr(errno, name)] * 2
    storage = Storage(pauses=(0.0, 0.0))
    assert storage.read(path) == b"content"
    assert (storage.retried, storage.failed) == (2, False)
    assert capsys.readouterr().out.count("WARNING: Reading") == 1


def test_failure_that_lasts_is_the_platforms(tmp_path: Path, failing: dict[str, list[int]]) -> None:
    """A file that fails each time -> PlatformError with path, reason, uid and attempts; the next one counts as well."""
    failing["1.jpg"], failing["2.jpg"] = [errno.EIO] * 3, [errno.EIO] * 3
    storage = Storage(pauses=(0.0, 0.0))
    with pytest.raises(
        PlatformError, match=rf"for 1 file\(s\), first .*/1\.jpg: Input/output error \(uid {os.geteuid()}, up to 3"
    ):
        storage.read(tmp_path / "1.jpg")
    with pytest.raises(PlatformError, match=r"for 2 file\(s\), first .*/1\.jpg"):
        storage.read(tmp_path / "2.jpg")
    assert len(failing["2.jpg"]) == 2, "after a failure that lasts nothing is retried"


@pytest.mark.parametrize("name", ["EACCES", "EPERM", "EISDIR"])
def test_what_a_retry_cannot_change_is_not_retried(tmp_path: Path, failing: dict[str, list[int]], name: str) -> None:
    """A permission that is missing -> PlatformError at once."""
    failing["1.jpg"] = [getattr(errno, name)] * 2
    with pytest.raises(PlatformError, match=os.strerror(getattr(errno, name))):
        Storage(pauses=(0.0, 0.0)).read(tmp_path / "1.jpg")
    assert len(failing["1.jpg"]) == 1


def test_name_that_is_not_utf8_is_escaped_in_the_error(tmp_path: Path) -> None:
    """A missing file named in Latin-1 -> its bytes shown, on one line."""
    with pytest.raises(PlatformError, match=r"caf\\xe9\\x0a\.jpg"):
        Storage(pauses=()).read(tmp_path / "caf\udce9\n.jpg")


def test_folder_whose_listing_fails_once_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stale handle at the first listing of a class folder -> listed at the second, nothing is missing."""
    for name in ("cat/1.jpg", "dog/1.jpg"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    real, failures = os.scandir, [errno.ESTALE]

    def stale_once(folder: Any) -> Any:
        if str(folder).endswith("cat") and failures:
            raise OSError(failures.pop(), "Stale file handle", folder)
        return real(folder)

    monkeypatch.setattr(os, "scandir", stale_once)
    assert channel_listing.list_channel(tmp_path, "training").counts() == {"cat": 1, "dog": 1}
    assert "cat failed (Stale file handle)" in capsys.readouterr().out


def test_file_that_vanished_before_its_size_was_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listed file that is gone when the data are hashed -> PlatformError with its path, not a trace."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    gone = Listing(tmp_path, ("cat",), (Example(tmp_path / "cat/1.jpg", 0),))
    with pytest.raises(PlatformError, match=r"cat/1\.jpg: No such file"):
        dataset.fingerprint(gone)
