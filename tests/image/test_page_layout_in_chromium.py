"""What the page shows at the widths of phones, tablets and desks: whole images, and facts that can be read."""

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from image_classifier import artifacts
from tests.image import chromium
from tests.image.chromium import Tab
from tests.platform.serving import served_locally

WIDTHS = (320, 360, 390, 768, 1280)
SHAPES = {"square": (300, 300), "tall": (200, 600), "wide": (900, 300)}
"""Width and height in pixels."""
READABLE = 110
"""Pixels: a column of some twelve characters."""


@pytest.fixture(scope="module")
def tab(pretrained_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """The page of a model whose accuracy is known, with an answer for an image of each shape."""
    scratch = tmp_path_factory.mktemp("layout")
    model = scratch / "model"
    shutil.copytree(pretrained_model, model)
    info = artifacts.read_model_info(model)
    metrics = {"val_accuracy": 0.87, "val_top_5_accuracy": 0.99, "test_accuracy": 0.85, "test_top_5_accuracy": 0.98}
    artifacts.write_model_info(model, dataclasses.replace(info, extra={**info.extra, "metrics": metrics}))
    images = [scratch / f"{name}.png" for name in SHAPES]
    for path, size in zip(images, SHAPES.values(), strict=True):
        Image.radial_gradient("L").resize(size).convert("RGB").save(path)
    with served_locally(model) as (_, url), chromium.opened(url.removesuffix("invocations"), scratch) as opened:
        opened.wait_for("!document.getElementById('made').hidden")
        opened.choose_files("#files", *images)
        opened.wait_for(f"document.querySelectorAll('.card:not(.waiting)').length === {len(SHAPES)}")
        yield opened


@pytest.mark.parametrize("width", WIDTHS)
def test_whole_image_is_shown(tab: Tab, width: int) -> None:
    """Given a square, a tall and a wide image at each width -> each lies whole inside its frame, in its proportions."""
    tab.look(width, "light")
    box = "((it) => { const r = it.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom]; })"
    found = tab.evaluate(
        f"[...document.querySelectorAll('.card .thumbnail')].map((frame) => [{box}(frame), "
        f"{box}(frame.firstElementChild), "
        "getComputedStyle(frame.firstElementChild).objectFit])"
    )
    assert len(found) == len(SHAPES)
    for frame, image, fit in found:
        assert fit == "contain"
        assert all(inner >= outer - 0.5 for inner, outer in zip(image[:2], frame[:2], strict=True)), (frame, image)
        assert all(inner <= outer + 0.5 for inner, outer in zip(image[2:], frame[2:], strict=True)), (frame, image)
        assert min(image[2] - image[0], image[3] - image[1]) > READABLE


@pytest.mark.parametrize("width", WIDTHS)
def test_facts_can_be_read(tab: Tab, width: int) -> None:
    """Given accuracies, whose names are long, at each width -> no column of the facts is narrower than some words."""
    tab.look(width, "light")
    columns = tab.evaluate(
        "['dt', 'dd'].map((tag) => Math.min(...[...document.querySelectorAll(`#about ${tag}`)].map("
        "(it) => it.getBoundingClientRect().width)))"
    )
    names = tab.evaluate("[...document.querySelectorAll('#about dt')].map((it) => it.textContent)")
    assert sum("Accuracy" in name for name in names) == 2
    assert columns[0] > 0.8 * READABLE
    assert columns[1] > READABLE
