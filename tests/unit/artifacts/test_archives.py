"""Untrusted archives: unpacked within bounds, or rejected in a sentence that names them."""

import io
import tarfile
from pathlib import Path

import pytest

from image_classifier import archives
from image_classifier.contract.errors import UserError
from tests.support import unprivileged


def write_tar(path: Path, members: list[tarfile.TarInfo]) -> Path:
    """Write an archive of the given members, each filled with zeros."""
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(bytes(member.size)))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 1, link: str = "") -> tarfile.TarInfo:
    """Describe one archive member."""
    found = tarfile.TarInfo(name)
    found.type, found.size, found.linkname = kind, size if kind == tarfile.REGTYPE else 0, link
    return found


@pytest.mark.parametrize(
    "hostile",
    [
        member("../outside"),
        member("1/../../outside"),
        member("/absolute"),
        member("device", tarfile.CHRTYPE),
        member("pipe", tarfile.FIFOTYPE),
        member("hard", tarfile.LNKTYPE, link="/etc/passwd"),
        member("soft", tarfile.SYMTYPE, link="/etc/passwd"),
    ],
    ids=lambda found: found.name,
)
def test_member_that_escapes_is_rejected(tmp_path: Path, hostile: tarfile.TarInfo) -> None:
    """An archive whose member leaves the folder, links or is a device -> rejected by name, nothing written outside."""
    archive = write_tar(tmp_path / "model.tar.gz", [member("1/ok"), hostile])
    with pytest.raises(UserError, match=r"is rejected: its member"):
        archives.unpack(archive, tmp_path / "into" / "deep")
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert written <= {"model.tar.gz", "ok"}


def test_bomb_is_rejected_before_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small archive that unpacks to more than the limit -> rejected, and the large member is not written."""
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 1_000_000)
    archive = write_tar(tmp_path / "bomb.tar.gz", [member("1/zeros", size=2_000_000)])
    with pytest.raises(UserError, match="unpacks to more than 1,000,000 bytes"):
        archives.unpack(archive, tmp_path / "into")
    assert not (tmp_path / "into" / "1" / "zeros").exists()


def test_too_many_members_are_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive of more files than the limit -> rejected with the limit."""
    monkeypatch.setattr(archives, "MAX_MEMBERS", 3)
    archive = write_tar(tmp_path / "many.tar.gz", [member(str(index)) for index in range(4)])
    with pytest.raises(UserError, match="more than 3 files"):
        archives.unpack(archive, tmp_path / "into")


@pytest.mark.parametrize(
    "content", [b"", b"no archive at all", b"\x1f\x8b\x08\x00rubbish"], ids=["empty", "text", "gzip"]
)
def test_file_that_is_no_archive_is_rejected(tmp_path: Path, content: bytes) -> None:
    """A file that is not a tar archive -> one sentence that names it."""
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(content)
    with pytest.raises(UserError, match=r"model\.tar\.gz is not a complete tar archive"):
        archives.unpack(archive, tmp_path / "into")


def test_truncated_archive_is_rejected(tmp_path: Path) -> None:
    """An archive cut off in the middle -> one sentence, as for any other broken archive."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").write_bytes(bytes(range(256)) * 4096)
    archive = tmp_path / "model.tar.gz"
    archives.pack(folder, archive)
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(UserError, match="not a complete tar archive"):
        archives.unpack(archive, tmp_path / "into")


def test_round_trip_keeps_content_and_is_reproducible(tmp_path: Path) -> None:
    """The same content packed twice -> the same bytes, and unpacking gives the content back."""
    for name in ("first", "second"):
        folder = tmp_path / name / "1" / "variables"
        folder.mkdir(parents=True)
        (folder / "data").write_bytes(b"weights")
    archives.pack(tmp_path / "first", tmp_path / "first.tar.gz")
    archives.pack(tmp_path / "second", tmp_path / "second.tar.gz")
    assert (tmp_path / "first.tar.gz").read_bytes() == (tmp_path / "second.tar.gz").read_bytes()
    archives.unpack(tmp_path / "first.tar.gz", tmp_path / "into")
    assert (tmp_path / "into" / "1" / "variables" / "data").read_bytes() == b"weights"


def test_materialise_takes_folders_and_archives(tmp_path: Path) -> None:
    """A folder -> itself; an archive -> unpacked; nothing there -> rejected."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "file").write_text("x")
    archives.pack(folder, tmp_path / "model.tar.gz")
    assert archives.materialise(folder, tmp_path / "unused") == folder
    assert (archives.materialise(tmp_path / "model.tar.gz", tmp_path / "into") / "file").read_text() == "x"
    with pytest.raises(UserError, match=r"does not exist\. Give a model folder"):
        archives.materialise(tmp_path / "absent", tmp_path / "into")


def test_folder_with_files_is_not_emptied_for_an_archive(tmp_path: Path) -> None:
    """An archive, and a folder with a file or a link where it shall be unpacked -> UserError, and all is as it was."""
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "new").write_text("new")
    archives.pack(tmp_path / "content", tmp_path / "a.tar.gz")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for into in (tmp_path / "mine", tmp_path / "link", tmp_path / "a.tar.gz"):
        with pytest.raises(UserError, match="Nothing was removed"):
            archives.materialise(tmp_path / "a.tar.gz", into)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_links_are_packed_as_what_they_lead_to(tmp_path: Path) -> None:
    """A folder with a symbolic and a hard link to a file, as caches of models have -> an archive that unpacks whole."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights").write_text("weights")
    (folder / "hard").hardlink_to(folder / "weights")
    (folder / "symbolic").symlink_to("weights")
    archives.pack(folder, tmp_path / "model.tar.gz")
    archives.unpack(tmp_path / "model.tar.gz", tmp_path / "unpacked")
    assert {path.name: path.read_text() for path in (tmp_path / "unpacked").iterdir()} == {
        "weights": "weights",
        "hard": "weights",
        "symbolic": "weights",
    }


def test_link_out_of_the_folder_is_not_packed(tmp_path: Path) -> None:
    """A folder with a link to a file elsewhere -> rejected by name, and no archive; nothing else is given away."""
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    (folder / "weights").symlink_to("../secret")
    with pytest.raises(UserError, match=r"weights is a link that leads out of .*, to \.\./secret"):
        archives.pack(folder, tmp_path / "model.tar.gz")
    assert not (tmp_path / "model.tar.gz").exists()


@pytest.mark.parametrize("locked", ["1/saved_model.pb", "labels_info.json", "1", "."])
def test_model_folder_that_may_not_be_read_is_named(tmp_path: Path, locked: str) -> None:
    """Given a file or a folder of a model without the permission to read -> one sentence that names it."""
    model = tmp_path / "model"
    (model / "1").mkdir(parents=True)
    for name in ("1/saved_model.pb", "labels_info.json"):
        (model / name).touch()
    assert archives.materialise(model, tmp_path / "unpacked") == model
    path = model / locked
    path.chmod(0)
    with unprivileged.modes_count(), pytest.raises(UserError) as rejected:
        archives.materialise(model, tmp_path / "unpacked")
    path.chmod(0o755)
    assert str(rejected.value).startswith(f"{path} cannot be read by uid ")
