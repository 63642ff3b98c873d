"""Write docs/console-result.png: a screen of a running console that shows no photographs.

    TF_USE_LEGACY_KERAS=1 PYTHONPATH=container:scripts .venv/bin/python -m tests.image.console_screenshots ADDRESS

ADDRESS is what `scripts/console` prints, of a console whose sample data was tried. Needs Debian's package chromium.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from tests.image import journeys
from tests.image.journeys import RunningConsole, Visitor
from tests.image.screenshot import WIDTH, write
from tests.platform.serving import ROOT

SAMPLE = "solar"
"""Name of the job on it."""
HEIGHTS = {"result": 590}
"""Pixels of each screen that are shown."""


def take(page: Page, name: str) -> None:
    """Write a screenshot of the page as it is."""
    page.set_viewport_size({"width": WIDTH, "height": HEIGHTS[name]})
    with tempfile.TemporaryDirectory(prefix="screenshots-") as scratch:
        path = Path(scratch) / "page.png"
        page.screenshot(path=path)
        write(path, ROOT / "docs" / f"console-{name}.png")


def main() -> None:
    """Take them."""
    with journeys.browser() as browser:
        visitor = Visitor(browser, RunningConsole(sys.argv[1], ROOT))
        page = visitor.opened()
        visitor.go(page, f"/jobs/{SAMPLE}/result/overview")
        take(page, "result")


if __name__ == "__main__":
    main()
