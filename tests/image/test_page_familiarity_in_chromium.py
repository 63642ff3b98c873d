"""What the try-it page says about images that are unlike the model's validation images."""

from pathlib import Path

import pytest
from PIL import Image

from tests.image import chromium
from tests.platform import sample_images
from tests.platform.serving import served_locally
from tests.support import tiny_models

WARNING = "Unfamiliar image: more unusual than all of the validation images"


@pytest.mark.parametrize("knows", [True, False])
def test_only_unfamiliar_images_are_marked(tmp_path: Path, knows: bool) -> None:
    """Given a grey and a green image -> a line on the card of the green one, and read out; none without the file."""
    model = tiny_models.write(tmp_path / "model", "tiny", features=True).folder
    if knows:
        tiny_models.write_familiarity(model)
    for name, colour in (("grey", (128, 128, 128)), ("green", (0, 255, 0))):
        (tmp_path / f"{name}.png").write_bytes(sample_images.encode(Image.new("RGB", (64, 48), colour), "PNG"))
    with served_locally(model) as (_, url), chromium.opened(url.removesuffix("invocations"), tmp_path) as tab:
        tab.wait_for("!document.getElementById('made').hidden")
        tab.choose_files("#files", tmp_path / "grey.png", tmp_path / "green.png")
        tab.wait_for("document.querySelectorAll('.card').length === 2 && !document.querySelector('.card.waiting')")
        shown = tab.evaluate(
            "[...document.querySelectorAll('.card')].map((card) => [card.querySelector('.file').textContent, "
            "card.querySelector('.unfamiliar').checkVisibility(), card.querySelector('.unfamiliar').textContent])"
        )
        assert shown == [["grey.png", False, ""], ["green.png", knows, WARNING if knows else ""]]
        news = tab.evaluate("document.querySelector('[aria-live=polite]').textContent")
        assert news.count(WARNING) == knows
        for width, scheme in ((320, "light"), (1280, "dark")):
            tab.look(width, scheme)
            tab.take_screenshot(tmp_path / f"{width}-{scheme}.png")
            assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        assert tab.complaints() == []
