"""Write PNGs of the report, to look at: 2, 10 and 200 classes in light and dark, on a desk, on a phone and on paper.

    PYTHONPATH=container:scripts .venv/bin/python -m tests.image.report_screenshots FOLDER [REPORT ...]

With REPORT, pages that jobs wrote take the place of the synthetic ones. Needs Debian's package chromium.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from image_classifier.evaluation.report import page
from tests.image import chromium
from tests.image.chromium import Tab
from tests.image.test_report_in_chromium import CLASSES
from tests.support import evaluations

DESK, PHONE, PAPER = 1280, 360, 794
"""Widths in CSS pixels; A4 at 96 dots per inch."""


def write(report: Path, name: str, into: Path, scratch: Path) -> None:
    """Write a report's PNGs into a folder; paper is one long page."""
    with chromium.opened(report.resolve().as_uri(), scratch) as tab:
        for width, scheme in ((DESK, "light"), (DESK, "dark"), (PHONE, "light"), (PHONE, "dark")):
            tab.look(width, scheme)
            _show_whole_page(tab, width)
            tab.take_screenshot(into / f"{name}-{width}-{scheme}.png")
        tab.look(PAPER, "light")
        tab.call("Emulation.setEmulatedMedia", media="print", features=[])
        _show_whole_page(tab, PAPER)
        tab.take_screenshot(into / f"{name}-print.png")


def _show_whole_page(tab: Tab, width: int) -> None:
    # Images beyond the screen are decoded when they are near it.
    height = tab.evaluate("document.documentElement.scrollHeight")
    tab.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)


def reports(scratch: Path) -> Iterator[tuple[str, Path]]:
    """Yield synthetic reports by name."""
    for classes, images in CLASSES.items():
        path = scratch / f"{classes}.html"
        path.write_text(page.build(evaluations.complete(scratch / str(classes), classes, images)), encoding="utf-8")
        yield f"{classes}-classes", path


def main() -> None:
    """Render the pages that the arguments name."""
    into, given = Path(sys.argv[1]), sys.argv[2:]
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="report-screenshots-") as scratch:
        named = [(Path(one).parent.name or "report", Path(one)) for one in given]
        for name, path in named or reports(Path(scratch)):
            write(path, name, into, Path(scratch))


if __name__ == "__main__":
    main()
