"""The report of 2, 10 and 200 classes as a browser shows it: valid, accessible, light and dark, at every width."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from image_classifier.evaluation.report import page
from tests.image import chromium, page_tools
from tests.image.chromium import Tab
from tests.support import evaluations

CLASSES = {2: 240, 10: 300, 200: 1200}
"""Numbers of classes, and of judged images."""
WIDTHS = (320, 360, 768, 1280)


@dataclass(frozen=True)
class Shown:
    """A report, and the browser that shows it."""

    path: Path
    tab: Tab


@pytest.fixture(scope="module", params=CLASSES)
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """Each report in turn."""
    folder = tmp_path_factory.mktemp(f"report-{request.param}")
    path = folder / "report.html"
    path.write_text(page.build(evaluations.complete(folder / "data", request.param, CLASSES[request.param])))
    with chromium.opened(path.as_uri(), folder) as tab:
        yield Shown(path, tab)


def test_markup_is_valid(shown: Shown) -> None:
    """Given a report -> html-validate finds nothing."""
    assert page_tools.markup_errors(shown.path) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_page_is_accessible(shown: Shown, width: int, scheme: str) -> None:
    """Given a report on a phone and a desk, light and dark -> axe-core finds nothing, contrast included."""
    shown.tab.look(width, scheme)
    assert page_tools.accessibility_errors(shown.tab) == []


def test_planted_faults_are_found(tmp_path: Path) -> None:
    """Given a report with grey on grey, an image without alternative and a list without items -> both tools object."""
    html = page.build(evaluations.evaluation(tmp_path, 2, images=120))
    html = html.replace('<p class="sub">', '<ul><p></ul><img src="data:,"><p style="color:#999;background:#aaa">', 1)
    path = tmp_path / "faulty.html"
    path.write_text(html)
    assert page_tools.markup_errors(path) != []
    with chromium.opened(path.as_uri(), tmp_path) as tab:
        found = " ".join(page_tools.accessibility_errors(tab))
    assert "color-contrast" in found
    assert "image-alt" in found


@pytest.mark.parametrize("width", WIDTHS)
def test_page_is_not_wider_than_the_screen(shown: Shown, width: int) -> None:
    """Given a width -> the page does not scroll sideways; only tables do, in regions that the keyboard reaches."""
    shown.tab.look(width, "light")
    assert shown.tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    outside = "!it.closest('.scroll, .side, .skip')"
    beyond = f"[...document.querySelectorAll('body *')].filter((it) => {outside} && it.getBoundingClientRect().right"
    assert shown.tab.evaluate(f"{beyond} > innerWidth + 1).map((it) => it.outerHTML.slice(0, 90))") == []


def test_matrix_link_opens_its_images(shown: Shown) -> None:
    """Given a link to images that are folded -> following it unfolds them, without a script."""
    shown.tab.look(1280, "light")
    opened = shown.tab.evaluate(
        "(() => { const folded = [...document.querySelectorAll('details:not([open]) .target')].map((it) => it.id); "
        "const link = [...document.querySelectorAll('a')].find((it) => folded.includes(it.hash.slice(1))); "
        "if (!link) return null; link.click(); return document.querySelector(':target').closest('details').open; })()"
    )
    assert opened is not False


def test_themes_differ_and_the_network_is_not_used(shown: Shown, tmp_path: Path) -> None:
    """Given a light and a dark system -> the page follows it, nothing is loaded from elsewhere, nothing goes wrong."""
    corners = []
    for scheme in ("light", "dark"):
        shown.tab.look(1280, scheme)
        shown.tab.take_screenshot(tmp_path / f"{scheme}.png")
        with Image.open(tmp_path / f"{scheme}.png") as image:
            corners.append(sum(image.convert("RGB").resize((1, 1)).getpixel((0, 0))))  # type: ignore[arg-type]
    assert corners[0] > 600
    assert corners[1] < 250
    addresses = shown.tab.addresses()
    assert [one for one in addresses if not one.startswith(("file://", "data:"))] == []
    assert shown.tab.complaints() == []


def test_printed_page_is_light_and_fits_the_paper(shown: Shown) -> None:
    """Given print from a dark system on A4 -> dark ink, no navigation, and nothing is cut off at the right."""
    shown.tab.look(794, "dark")
    shown.tab.call("Emulation.setEmulatedMedia", media="print", features=[])
    try:
        ink = shown.tab.evaluate("getComputedStyle(document.body).color")
        assert sum(int(part) for part in ink[4:-1].split(",")) < 150
        assert shown.tab.evaluate("getComputedStyle(document.querySelector('.side')).display") == "none"
        assert shown.tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    finally:
        shown.tab.call("Emulation.setEmulatedMedia", media="", features=[])
