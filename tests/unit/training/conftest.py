"""Fixtures of the training tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from image_classifier.artifacts import ModelInfo
from image_classifier.class_folders import channel_listing
from image_classifier.contract.opt_ml import OptMl
from image_classifier.training.data import dataset
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.stopping import StopSignal
from tests.support import unprivileged
from tests.support.made_once import made_once
from tests.unit.training import small, trees


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three classes of twenty coloured images."""
    return small.write_images(tmp_path / "images")


@pytest.fixture(scope="session")
def read_data() -> Callable[..., DataSplits]:
    """Return a function from a folder of images to split data."""

    def read(folder: Path, ratio: float = 0.25) -> DataSplits:
        training, validation = dataset.split(channel_listing.list_channel(folder, "training"), ratio, 123)
        return DataSplits(training, validation, None)

    return read


@pytest.fixture
def stop() -> StopSignal:
    """Nothing that ends the job."""
    return StopSignal()


@pytest.fixture
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 8 images in batches of 4, and 5 rows moved at once, so that few images make several."""
    from image_classifier.training.features import feature_pass, feature_rows

    monkeypatch.setattr(feature_pass, "BATCH", 4)
    monkeypatch.setattr(feature_pass, "CHUNK", 8)
    monkeypatch.setattr(feature_rows, "_AT_ONCE", 5)


@pytest.fixture(scope="session")
def backbone_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A staged backbone of 32 x 40 pixels, neither square nor of a usual size."""
    info = ModelInfo(image_size=(32, 40), source="test network")

    def make(folder: Path) -> None:
        small.save_backbone(folder, info, small.build_network((None, None)))

    return made_once(tmp_path_factory, "small-backbone", make)


@pytest.fixture
def opt_ml(tmp_path: Path) -> OptMl:
    """A tree whose training channel has two classes of four files."""
    tree = OptMl(tmp_path / "ml")
    trees.put(tree.channel_dir("training"), *(f"{name}/{index}.jpg" for name in ("blue", "red") for index in range(4)))
    return tree


@pytest.fixture
def training(opt_ml: OptMl) -> Path:
    """The training channel."""
    return opt_ml.channel_dir("training")


@pytest.fixture
def modes_count() -> Iterator[None]:
    """Let file modes apply to this process, even when it is root's."""
    with unprivileged.modes_count():
        yield
