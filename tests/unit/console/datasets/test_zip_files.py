import io
import stat
import zipfile
from pathlib import Path

import pytest

from image_classifier.console.datasets import zip_files
from image_classifier.contract.errors import UserError
from tests.support.data_folders import image_bytes


def archive_of(folder: Path, members: dict[str, bytes], mode: int = stat.S_IFREG | 0o644) -> Path:
    """Write a zip file with these members."""
    path = folder / "photos.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = mode << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, content)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An empty folder beside the archive."""
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


def test_archive_is_unpacked_without_a_system_s_files(tmp_path: Path, target: Path) -> None:
    """Given photos packed by macOS -> the photos alone are written, and the progress ends at the total."""
    photo = image_bytes("one")
    path = archive_of(
        tmp_path, {"f/a/1.png": photo, "__MACOSX/f/a/._1.png": b"x", "f/.DS_Store": b"x", "f/b/ü.png": photo}
    )
    reports: list[tuple[int, int]] = []
    assert zip_files.unpack(path, target, lambda done, total: reports.append((done, total))) == 2
    assert sorted(str(one.relative_to(target)) for one in target.rglob("*.png")) == ["f/a/1.png", "f/b/ü.png"]
    assert reports[-1] == (2 * len(photo), 2 * len(photo))


@pytest.mark.parametrize(
    "name", ["../out.png", "/etc/out.png", "a/../../out.png", "a\\b.png", "a/" * 40 + "b.png", "x" * 300]
)
def test_path_that_leads_out_is_rejected(name: str, tmp_path: Path, target: Path) -> None:
    """Given a member outside the folder, or with a name that no file can have -> nothing is written anywhere."""
    path = archive_of(tmp_path, {"a/1.png": b"1", name: b"2"})
    with pytest.raises(UserError, match="rejected"):
        zip_files.unpack(path, target)
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == [path]


def test_link_is_rejected(tmp_path: Path, target: Path) -> None:
    """Given a symbolic link to a file of the system -> rejected, and none is made."""
    path = archive_of(tmp_path, {"a/1.png": b"/etc/passwd"}, stat.S_IFLNK | 0o777)
    with pytest.raises(UserError, match="link or a device"):
        zip_files.unpack(path, target)
    assert not any(target.iterdir())


def test_bomb_is_rejected_before_anything_is_written(tmp_path: Path, target: Path) -> None:
    """Given 50 MB of zeros in 50 KB -> rejected by its ratio."""
    with pytest.raises(UserError, match="as no image does"):
        zip_files.unpack(archive_of(tmp_path, {"a/1.png": bytes(50 << 20)}), target)
    assert not any(target.iterdir())


def test_announced_size_that_is_wrong_writes_no_more(tmp_path: Path, target: Path) -> None:
    """Given a member that unpacks to more than its header says -> an error, and no more is written."""
    path = archive_of(tmp_path, {"a/1.png": bytes(range(256)) * 40_000})
    content = path.read_bytes()
    size = (256 * 40_000).to_bytes(4, "little")
    assert content.count(size) == 2
    path.write_bytes(content.replace(size, (1000).to_bytes(4, "little")))
    with pytest.raises(UserError, match="not a whole zip archive"):
        zip_files.unpack(path, target)
    assert sum(one.stat().st_size for one in target.rglob("*.png")) <= 1000


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"\x1f\x8b tar"])
def test_other_file_is_named(content: bytes, tmp_path: Path, target: Path) -> None:
    """Given a file that is not a zip archive -> one sentence."""
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(UserError, match="not a whole zip archive"):
        zip_files.unpack(tmp_path / "x.zip", target)


def test_cut_off_archive_is_named(tmp_path: Path, target: Path) -> None:
    """Given an archive without its end -> one sentence."""
    path = archive_of(tmp_path, {"a/1.png": image_bytes("one")})
    path.write_bytes(io.BytesIO(path.read_bytes()).read(100))
    with pytest.raises(UserError, match="not a whole zip archive"):
        zip_files.unpack(path, target)
