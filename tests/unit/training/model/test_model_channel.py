"""What the model channel may hold."""

import zipfile
from pathlib import Path

import pytest

from image_classifier import archives
from image_classifier.contract.errors import UserError
from image_classifier.training.model import model_channel


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """An archive of a model in name only."""
    folder = tmp_path / "content" / "1"
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    archives.pack(tmp_path / "content", tmp_path / "packed.tar.gz")
    return tmp_path / "packed.tar.gz"


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    """An empty channel."""
    (tmp_path / "channel").mkdir()
    return tmp_path / "channel"


def put(target: Path, content: bytes) -> None:
    """Write a file of the channel."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


@pytest.mark.parametrize(
    "name", ["model.tar.gz", "model.tgz", "model.tar", "MODEL.TGZ", "a/b/m.tar.gz", "model.tar.bz2"]
)
@pytest.mark.parametrize(
    "beside", ["._model.tar.gz", ".DS_Store", "__MACOSX/._model.tar.gz", ".part/x.tar.gz", "notes.txt"]
)
def test_only_archive_is_unpacked(channel: Path, packed: Path, tmp_path: Path, name: str, beside: str) -> None:
    """One archive by any of its endings, in a folder too, beside hidden files and a text -> unpacked."""
    put(channel / name, packed.read_bytes())
    put(channel / beside, b"\0\5\26\7")
    assert model_channel.unpacked(channel, tmp_path / "into") == tmp_path / "into"
    assert (tmp_path / "into" / "1" / "saved_model.pb").read_bytes() == b"graph"


@pytest.mark.parametrize("name", ["1/saved_model.pb", "saved_model.pb", "model/1/saved_model.pb"])
def test_unpacked_model_is_the_channel(channel: Path, tmp_path: Path, name: str) -> None:
    """The files of a model, with an archive among its assets -> the channel itself."""
    put(channel / name, b"graph")
    put((channel / name).parent / "assets" / "words.tar.gz", b"x")
    put(channel / "._model.tar.gz", b"x")
    assert model_channel.unpacked(channel, tmp_path / "into") == channel


@pytest.mark.parametrize("names", [("model.tar.gz", "another.tar.gz"), ("a/model.tgz", "b/model.tar")])
def test_two_archives_are_rejected_by_name(channel: Path, packed: Path, tmp_path: Path, names: tuple[str, ...]) -> None:
    """Two archives, in folders too -> both named, nothing unpacked."""
    for name in names:
        put(channel / name, packed.read_bytes())
    with pytest.raises(UserError, match=f"holds 2 archives: {', '.join(sorted(names))}") as found:
        model_channel.unpacked(channel, tmp_path / "into")
    assert "keep the one" in str(found.value)
    assert not (tmp_path / "into").exists()


def test_archive_beside_an_unpacked_model_is_rejected(channel: Path, packed: Path, tmp_path: Path) -> None:
    """An archive and the folder that was unpacked from it -> both named."""
    put(channel / "model.tar.gz", packed.read_bytes())
    put(channel / "model" / "1" / "saved_model.pb", b"graph")
    with pytest.raises(UserError, match=r"the archive model\.tar\.gz and an unpacked model \(model/1/\)"):
        model_channel.unpacked(channel, tmp_path / "into")


@pytest.mark.parametrize("name", ["model.zip", "MODEL.ZIP", "folder/model.zip"])
def test_zip_has_its_own_sentence(channel: Path, tmp_path: Path, name: str) -> None:
    """A zip archive alone -> said, with the command that packs a model; beside the right archive -> skipped."""
    (channel / name).parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(channel / name, "w") as file:
        file.writestr("1/saved_model.pb", "graph")
    with pytest.raises(
        UserError, match=rf"holds {name}, and zip archives are not supported.*tar czf model.tar.gz -C FOLDER"
    ):
        model_channel.unpacked(channel, tmp_path / "into")
