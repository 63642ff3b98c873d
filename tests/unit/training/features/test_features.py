"""One pass over the images: what comes out, where it lies, and what a restart computes again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from image_classifier.artifacts import ModelInfo
from image_classifier.class_folders.listing import Example
from image_classifier.contract.errors import PlatformError
from image_classifier.training.data.decoding import Decoder, Pixels
from image_classifier.training.features import feature_chunks, feature_pass
from image_classifier.training.features.feature_chunks import ChunkFolder
from image_classifier.training.features.feature_pass import FeatureStore
from image_classifier.training.features.feature_rows import FeatureRows
from image_classifier.training.stopping import JobStopped, StopSignal
from tests.unit.training import small

DECODER = Decoder((4, 6), "bilinear")

pytestmark = pytest.mark.usefixtures("short_chunks")


@pytest.fixture
def examples(tmp_path: Path) -> list[Example]:
    """Thirty images whose grey level is their number."""
    return small.grey_levels(tmp_path, 30)


@pytest.fixture
def chunks(tmp_path: Path) -> ChunkFolder:
    """A folder for chunks that is not there yet."""
    return ChunkFolder(tmp_path / "features" / "training", "key")


@dataclass
class Network:
    """Answers an image's grey level and its square; remembers the levels, and tells to stop after some batches."""

    stop_after: int = 1_000_000
    levels: list[int] = field(default_factory=list)
    stop: StopSignal = field(default_factory=StopSignal)

    def __call__(self, pixels: Pixels) -> NDArray[np.float32]:
        """Return (n, 2)."""
        level = pixels[:, 0, 0, 0].astype(np.float32)
        self.levels += level.astype(int).tolist()
        self.stop_after -= 1
        if not self.stop_after:
            self.stop.set()
        return np.stack([level, level**2], axis=1)


def run(network: Network, examples: Sequence[Example], chunks: ChunkFolder | None = None) -> FeatureStore:
    """Compute as a job does."""
    return feature_pass.compute(network, DECODER, examples, "Images", network.stop, chunks=chunks)


def levels_of(store: FeatureStore) -> list[int]:
    """Return the grey levels, having checked the second feature."""
    assert np.array_equal(store.features[:, 1], store.features[:, 0] ** 2)
    return store.features[:, 0].astype(int).tolist()  # type: ignore[no-any-return]


def test_every_image_has_its_row_in_order(examples: list[Example]) -> None:
    """Given thirty images in batches of four -> thirty rows in the order of the images, each computed once."""
    network = Network()
    store = run(network, examples)
    assert levels_of(store) == list(range(30))
    assert network.levels == list(range(30))
    assert store.examples == tuple(examples)


def test_unreadable_images_have_no_row(examples: list[Example]) -> None:
    """Given a text, a truncated file and an empty file -> the other rows are compacted, and the three are listed."""
    examples[0].path.write_text("no image")
    examples[9].path.write_bytes(examples[9].path.read_bytes()[:40])
    examples[29].path.write_bytes(b"")
    store = run(Network(), examples)
    assert levels_of(store) == [level for level in range(30) if level not in (0, 9, 29)]
    assert [item.path.name for item in store.skipped] == ["000.png", "009.png", "029.png"]
    assert all(item.reason for item in store.skipped)
    assert len(store.examples) == 27


def test_no_readable_image_at_all(examples: list[Example], chunks: ChunkFolder) -> None:
    """Given only text files, also after a restart -> no row, and every one of them is listed."""
    for example in examples:
        example.path.write_text("no image")
    for _ in range(2):
        store = run(Network(), examples, chunks)
        assert store.features.shape[0] == 0
        assert len(store.skipped) == 30


def test_features_beyond_the_memory_limit_are_in_an_unlinked_file(
    tmp_path: Path, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given no free memory -> the same rows, file-backed, and an empty temporary folder."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    monkeypatch.setattr("image_classifier.training.features.feature_rows.available_bytes", lambda: 0)
    examples[3].path.write_text("no image")
    store = run(Network(), examples)
    assert isinstance(store.features, np.memmap)
    assert levels_of(store) == [level for level in range(30) if level != 3]
    assert not list((tmp_path / "scratch").iterdir())


def test_interrupted_pass_is_resumed(
    examples: list[Example], chunks: ChunkFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    """Given a stop after five batches -> the restart computes only the other ten images, with the same result."""
    examples[2].path.write_text("no image")
    with pytest.raises(JobStopped, match=r"Images: the features of 20 of 30 are stored"):
        run(Network(stop_after=5), examples, chunks)
    network = Network()
    store = run(network, examples, chunks)
    assert network.levels == list(range(20, 30))
    assert levels_of(store) == levels_of(run(Network(), examples))
    assert [item.path.name for item in store.skipped] == ["002.png"]
    assert "Images: resuming with the features of an earlier run for 20 images" in capfd.readouterr().out


def test_without_a_folder_a_stopped_pass_starts_from_scratch(examples: list[Example]) -> None:
    """Given a stop and no folder for chunks -> the restart computes all images."""
    with pytest.raises(JobStopped, match=r"20 of 30 are lost"):
        run(Network(stop_after=5), examples)
    network = Network()
    run(network, examples)
    assert network.levels == list(range(30))


@pytest.mark.parametrize("damage", ["cut", "one bit", "empty"])
def test_corrupt_chunk_is_computed_again(
    examples: list[Example], chunks: ChunkFolder, capfd: pytest.CaptureFixture[str], damage: str
) -> None:
    """Given the second of four chunks corrupt -> only its eight images are computed again, and one line says so."""
    run(Network(), examples, chunks)
    file = sorted(chunks.folder.iterdir())[1]
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes({"cut": content[:-9], "one bit": content, "empty": b""}[damage]))
    network = Network()
    assert levels_of(run(network, examples, chunks)) == list(range(30))
    assert network.levels == list(range(8, 16))
    assert capfd.readouterr().out.count(f"Features in {file} are corrupt") == 1


def test_chunks_of_other_images_are_not_used(examples: list[Example], chunks: ChunkFolder) -> None:
    """Given an image replaced by a longer file -> its chunk is computed again, the others are used."""
    run(Network(), examples, chunks)
    Image.new("RGB", (90, 70), (200, 200, 200)).save(examples[17].path)
    network = Network()
    store = run(network, examples, chunks)
    assert network.levels == [16, 200, *range(18, 24)]
    assert store.features[17, 0] == 200


def test_chunks_of_another_network_are_removed(examples: list[Example], chunks: ChunkFolder) -> None:
    """Given chunks of another key and a partial file -> all images are computed, and both are removed."""
    run(Network(), examples, ChunkFolder(chunks.folder, "other"))
    (chunks.folder / "key-000000000-000000008.partial").write_bytes(b"half")
    network = Network()
    run(network, examples, chunks)
    assert network.levels == list(range(30))
    assert {path.name.partition("-")[0] for path in chunks.folder.iterdir()} == {"key"}
    assert not list(chunks.folder.glob("*.partial"))


def test_removed_chunks_are_gone(examples: list[Example], chunks: ChunkFolder) -> None:
    """Given the features of a finished job -> their folder is removed, and removing it twice is not an error."""
    run(Network(), examples, chunks)
    assert len(list(chunks.folder.iterdir())) == 4
    feature_chunks.remove(chunks.folder.parent)
    feature_chunks.remove(chunks.folder.parent)
    assert not chunks.folder.parent.exists()


@pytest.mark.parametrize(
    ("info", "resize_method", "engine"),
    [
        (ModelInfo(sha256="b"), "bilinear", "tensorflow"),
        (ModelInfo(sha256="a", image_size=(32, 32)), "bilinear", "tensorflow"),
        (ModelInfo(sha256="a", pixel_scaling_method="center"), "bilinear", "tensorflow"),
        (ModelInfo(sha256="a"), "area", "tensorflow"),
        (ModelInfo(sha256="a"), "bilinear", "openvino"),
    ],
    ids=["network", "size", "scaling", "resize method", "engine"],
)
def test_key_depends_on_everything_that_changes_features(info: ModelInfo, resize_method: str, engine: str) -> None:
    """Given another network, size, scaling, resize method or engine -> another key."""
    assert feature_chunks.network_key(info, resize_method, engine) != feature_chunks.network_key(
        ModelInfo(sha256="a"), "bilinear", "tensorflow"
    )


def test_features_too_large_for_memory_and_disk_are_rejected() -> None:
    """Given more features than memory and disk hold -> one sentence with the figures and what to do."""
    rows = FeatureRows(2**26, memory_limit=10)
    with pytest.raises(PlatformError, match=r"features of 67,108,864 images need 281,\S+ bytes; memory allows 10 and"):
        rows.put([0], np.zeros((1, 2**20), np.float32))


def test_unrelated_files_are_kept(examples: list[Example], chunks: ChunkFolder, tmp_path: Path) -> None:
    """Files, folders and links of the user among the chunks -> a pass and the removal leave them unchanged."""
    run(Network(), examples, ChunkFolder(chunks.folder, "other"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "key-000000000-000000008.features").write_text("mine")
    others = [chunks.folder / "notes.txt", chunks.folder.parent / "mine" / "x.txt", chunks.folder / "mine" / "x.txt"]
    for path in others:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    (chunks.folder.parent / "link").symlink_to(tmp_path / "mine")
    run(Network(), examples, chunks)
    feature_chunks.remove(chunks.folder.parent)
    assert [path.read_text() for path in others] == ["mine"] * 3
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["key-000000000-000000008.features"]
    assert not list(chunks.folder.glob("*.features"))


def test_folder_that_is_a_link_is_not_removed(tmp_path: Path) -> None:
    """A link named features -> the removal keeps the link and the chunks in its target."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "key-000000000-000000008.features").write_text("mine")
    (tmp_path / "features").symlink_to(tmp_path / "mine")
    feature_chunks.remove(tmp_path / "features")
    assert (tmp_path / "features" / "key-000000000-000000008.features").read_text() == "mine"
