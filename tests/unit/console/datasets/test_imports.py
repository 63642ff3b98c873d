import io
import signal
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from image_classifier.console import tasks
from image_classifier.console.datasets import imports, known
from image_classifier.console.datasets.imports import Import, Shown
from image_classifier.console.datasets.known import Source
from image_classifier.console.tasks import State
from image_classifier.contract.errors import UserError
from image_classifier.runners import processes
from tests.support.buckets import LocalBucket, bucket_on_this_machine
from tests.support.consoles import client_of, make_console
from tests.support.data_folders import image_bytes
from tests.support.waiting import wait_until


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBucket]:
    """An empty bucket."""
    with bucket_on_this_machine(monkeypatch) as found:
        yield found


def packed(count: int = 3, above: str = "flowers/") -> bytes:
    """Return a zip archive of two classes below a folder that wraps them."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in ("roses", "tulips"):
            for number in range(count):
                archive.writestr(f"{above}{name}/{number}.png", image_bytes(f"{name}{number}"))
    return content.getvalue()


def ended(home: Path, what: Import) -> Shown:
    """Wait for an import's end and return how it ended."""
    wait_until(lambda: imports.find(home, what.id) is not None, 5, "the import exists")
    wait_until(lambda: found(home, what).status.state is not State.RUNNING, 60, "the import has ended")
    return found(home, what)


def found(home: Path, what: Import) -> Shown:
    """Return an import that exists."""
    shown = imports.find(home, what.id)
    assert shown is not None
    return shown


def data_sets_of(home: Path) -> list[str]:
    """Return the folders that look like imported data sets."""
    return sorted(path.name for path in (home / "data").iterdir() if not path.name.startswith("."))


def test_uploaded_archive_becomes_a_data_set(tmp_path: Path) -> None:
    """Given a zip file sent by a form -> the import's page leads to a data set of its classes, which can be deleted."""
    console = make_console(tmp_path)
    client = client_of(console)
    answer = client.post("/data/uploads", data={"archive": (io.BytesIO(packed()), "My flowers.zip")})
    assert answer.status_code == 303, answer.text
    id_ = answer.headers["Location"].rpartition("/")[2]
    ended(console.home, Import(id_, "", Source.UPLOAD, ""))
    page = client.get(f"/data/imports/{id_}")
    assert page.status_code == 303, page.text
    key = page.headers["Location"].rpartition("/")[2]
    data_set = known.find(console.home, key)
    assert data_set is not None
    assert data_set.name == "My flowers"
    assert sorted(path.name for path in data_set.folders["training"].iterdir() if path.name[0] != ".") == [
        "roses",
        "tulips",
    ]
    assert imports.every(console.home) == []
    assert client.post(f"/data/{key}/remove", data={"action": "delete", "confirmed": "flowers"}).status_code == 400
    client.post(f"/data/{key}/remove", data={"action": "delete", "confirmed": "My flowers"})
    assert data_sets_of(console.home) == []


def test_dropped_folder_becomes_a_data_set(tmp_path: Path) -> None:
    """Given the files of a folder one by one -> a data set of them; a path that leads out is rejected."""
    console = make_console(tmp_path)
    client = client_of(console)
    id_ = client.post("/data/uploads/folder?name=flowers").get_json()["files"].split("/")[-2]
    for name in ("flowers/a/1.png", "flowers/b/2.png", "flowers/.DS_Store"):
        sent = client.post(f"/data/imports/{id_}/files", query_string={"path": name}, data=image_bytes(name))
        assert sent.status_code == 200
    for path in ("/x.png", "a\\x.png", f"{'x' * 300}.png"):
        outside = client.post(f"/data/imports/{id_}/files", query_string={"path": path}, data=b"x")
        assert outside.status_code == 400
    hidden = client.post(f"/data/imports/{id_}/files", query_string={"path": "../../x.png"}, data=b"x")
    assert hidden.get_json() == {"kept": False}
    page = client.post(f"/data/imports/{id_}/finish").get_json()["page"]
    data_set = known.find(console.home, page.rpartition("/")[2])
    assert data_set is not None
    names = {
        str(path.relative_to(data_set.folders["training"])) for path in data_set.folders["training"].rglob("*.png")
    }
    assert names == {"a/1.png", "b/2.png"}


def test_corrupt_archive_says_so_and_leaves_no_data_set(tmp_path: Path) -> None:
    """Given half of an archive -> the import fails with a sentence, is not a data set, and can be removed."""
    console = make_console(tmp_path)
    what = imports.begin(console.home, "x", Source.UPLOAD, "x.zip")
    imports.receive(io.BytesIO(packed()[:300]), imports.folder(console.home, what.id) / imports.ARCHIVE, 1000)
    imports.start(console.home, what.id)
    shown = ended(console.home, what)
    assert shown.status.state is State.FAILED
    assert "not a whole zip archive" in shown.status.message
    assert data_sets_of(console.home) == []
    imports.remove(console.home, what.id)
    assert imports.every(console.home) == []


def test_upload_beyond_the_limit_keeps_nothing(tmp_path: Path) -> None:
    """Given more bytes than the limit -> rejected, and no part of the file is kept."""
    console = make_console(tmp_path)
    what = imports.begin(console.home, "x", Source.UPLOAD, "x.zip")
    with pytest.raises(UserError, match="more than 1,000 bytes"):
        imports.receive(io.BytesIO(bytes(2000)), imports.folder(console.home, what.id) / imports.ARCHIVE, 1000)
    assert not (imports.folder(console.home, what.id) / imports.ARCHIVE).exists()
    assert not found(console.home, what).is_here


def test_killed_import_is_unfinished_and_resumes(bucket: LocalBucket, tmp_path: Path) -> None:
    """Given a killed import from S3 -> nothing looks whole; resumed, it fetches what is missing."""
    console = make_console(tmp_path)
    for number in range(60):
        bucket.put(f"flowers/{'roses' if number % 2 else 'tulips'}/{number:02}.png", image_bytes(str(number)))
    what = imports.begin(console.home, "flowers", Source.S3, f"s3://{bucket.name}/flowers/")
    imports.start(console.home, what.id)
    folder = imports.folder(console.home, what.id)
    wait_until(lambda: any((folder / imports.CONTENT).rglob("*.png")), 60, "the first image is there", 0.001)
    record = processes.read(folder / "process.json")
    assert record is not None
    processes.send(record, signal.SIGKILL)
    wait_until(lambda: not processes.is_running(record), 10, "it is killed")
    shown = found(console.home, what)
    if shown.data_set is None:
        assert shown.status.state is State.INTERRUPTED
        assert shown.is_resumable
        assert data_sets_of(console.home) == []
        kept = {path: path.stat().st_mtime_ns for path in (folder / imports.CONTENT).rglob("*.png")}
        time.sleep(0.01)
        imports.start(console.home, what.id)
        shown = ended(console.home, what)
        assert shown.status.state is State.FINISHED, shown.status.message
        target = console.home / "data" / "flowers"
        for path, modified in kept.items():
            assert (target / path.relative_to(folder / imports.CONTENT)).stat().st_mtime_ns == modified
    assert shown.data_set is not None
    assert len(list((console.home / "data" / "flowers").rglob("*.png"))) == 60


def test_cancelled_import_leaves_nothing(bucket: LocalBucket, tmp_path: Path) -> None:
    """Given a running import that its user removes -> its process and its files are gone."""
    console = make_console(tmp_path)
    for number in range(40):
        bucket.put(f"flowers/roses/{number:02}.png", image_bytes(str(number)))
    what = imports.begin(console.home, "flowers", Source.S3, f"s3://{bucket.name}/flowers/")
    imports.start(console.home, what.id)
    folder = imports.folder(console.home, what.id)
    client_of(console).post(f"/data/imports/{what.id}", data={"action": "remove"})
    assert not folder.exists()
    assert data_sets_of(console.home) == [] or tasks.status(folder) is None
