"""Links and nesting: each file once, and nothing left out without a trace."""

import inspect
import os
import sys
from pathlib import Path

import pytest

from image_classifier.class_folders import channel_listing, channel_scan
from image_classifier.contract.opt_ml import OptMl
from image_classifier.training.data import preflight
from tests.unit.training import small
from tests.unit.training.trees import log, put


def test_linked_folders_are_followed_once(opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Links to a folder of another class, twice, to a folder above, to each other -> each image once per class."""
    put(training, "red/more/5.jpg", "red/more/6.jpg")
    (training / "blue/extra").symlink_to("../red/more")
    (training / "blue/again").symlink_to("../red/more")
    (training / "blue/up").symlink_to(".")
    (training / "blue/all").symlink_to("..")
    (training / "red/more/loop").symlink_to("../more")
    lines = log(opt_ml, capsys)
    listing = preflight.check(opt_ml, small.settings())["training"].listing
    assert listing.counts() == {"blue": 6, "red": 6}
    assert sum("5 link(s) to folders that were read already" in line for line in lines) == 1


def test_links_that_lead_nowhere_are_counted(opt_ml: OptMl, training: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A link without a target, one to itself, a pipe -> left out, each counted and named."""
    (training / "blue/gone.jpg").symlink_to("nowhere.jpg")
    (training / "self").symlink_to("self")
    os.mkfifo(training / "red/pipe.jpg")
    lines = log(opt_ml, capsys)
    assert sum("2 link(s) without a target" in line and "gone.jpg" in line for line in lines) == 1
    assert sum("1 pipe(s), socket(s) or device(s)" in line for line in lines) == 1


def test_deep_nesting_is_walked(training: Path) -> None:
    """Folders nested more deeply than Python recurses -> the image at the end counts."""
    folder = training / "blue"
    for _ in range(300):
        folder /= "d"
        folder.mkdir()
    put(folder, "1.jpg")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 150)
    try:
        found = channel_scan.scan(training, "training")
    finally:
        sys.setrecursionlimit(limit)
    assert found.listing.counts()["blue"] == 5


def test_order_is_that_of_the_paths_parts(training: Path) -> None:
    """Files and folders of similar names, one through a link -> the order of the parts, as on several hosts."""
    put(training, "blue/a/1.jpg", "blue/a b.jpg", "blue/a.jpg", "red/x/9.jpg")
    (training / "blue/a-link").symlink_to("../red/x")
    listing = channel_listing.list_channel(training, "training")
    blue = [listing.name(one).split("/") for one in listing.examples if one.label == 0]
    assert blue == sorted(blue)
    assert len(blue) == 8


def test_ignored_names_among_plain_files_are_left_out(training: Path) -> None:
    """Hidden files and those of systems beside images, some of which begin like them -> the images alone, in order."""
    folder = training / "blue"
    put(folder, "image.jpg", "Thumbs.jpg")
    for name in (".hidden.jpg", "Thumbs.db", "desktop.ini", "._image.jpg"):
        (folder / name).touch()
    found = channel_scan.scan(training, "training")
    names = [example.path.name for example in found.listing.examples if example.path.parent == folder]
    assert names == sorted(names)
    assert {"image.jpg", "Thumbs.jpg"} < set(names)
    assert len(names) == 6
