"""Write the screenshots of the console in docs.

    TF_USE_LEGACY_KERAS=1 PYTHONPATH=container:scripts .venv/bin/python -m tests.image.console_screenshots [ADDRESS]

With ADDRESS, what `scripts/console` prints, of a console whose sample data was tried: docs/console-result.png, a screen
that shows no photographs. Without it, a console is started, and a job on parts of two photographs of scikit-image,
whose licence is CC0 (NOTICE): docs/console-data.png, docs/console-train.png and docs/console-try.png. Needs Debian's
package chromium. On an idle machine it takes about three minutes; on a busy one, TEST_PATIENCE=5 waits five times as
long.
"""

import io
import random
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from tests.image import journeys
from tests.image.journeys import SECONDS, RunningConsole, Visitor
from tests.image.screenshot import WIDTH, write
from tests.platform.serving import ROOT
from tests.support import named_photographs
from tests.support.waiting import PATIENCE

SAMPLE = "solar"
"""Name of the job on it."""
HEIGHTS = {"result": 590, "data": 600, "train": 605, "try": 820}
"""Pixels of each screen that are shown."""
CLASSES = {"cat": "chelsea.png", "coffee": "coffee.png"}
"""Class, and the photograph that its images are parts of."""
PARTS = 40
"""Images of each class."""
SIDE = 160
JOB_SECONDS = 300


def take(page: Page, name: str, first: str = "body", last: str = "body") -> None:
    """Write a screenshot of the page from one element on; AssertionError if it shows another one only in part."""
    page.set_viewport_size({"width": WIDTH, "height": HEIGHTS[name]})
    page.evaluate(f"document.querySelector({first!r}).scrollIntoView()")
    if last != "body":
        lower = page.evaluate(f"document.querySelector({last!r}).getBoundingClientRect().bottom")
        assert lower <= HEIGHTS[name], f"{name}: {last} ends at {lower:.0f} of {HEIGHTS[name]} pixels"
    with tempfile.TemporaryDirectory(prefix="screenshots-") as scratch:
        path = Path(scratch) / "page.png"
        page.screenshot(path=path)
        write(path, ROOT / "docs" / f"console-{name}.png")


def write_parts(folder: Path) -> None:
    """Write the class folders."""
    chosen = random.Random(0)
    for name, photograph in CLASSES.items():
        (folder / name).mkdir(parents=True)
        with Image.open(io.BytesIO(named_photographs.of_wheel(photograph))) as whole:
            for number in range(PARTS):
                left, top = chosen.randrange(whole.width - SIDE), chosen.randrange(whole.height - SIDE)
                part = whole.convert("RGB").crop((left, top, left + SIDE, top + SIDE))
                part.save(folder / name / f"{name}-{number:02}.jpg", quality=90)


def take_for_the_guide(scratch: Path) -> None:
    """Start a console and take the screens of the guide: a data set, the form of a job, an answer."""
    photos, whole = scratch / "cat-or-coffee", scratch / "chelsea.png"
    write_parts(photos)
    whole.write_bytes(named_photographs.of_wheel(whole.name))
    with journeys.running_console(scratch) as console, journeys.browser() as browser:
        page = Visitor(browser, console).opened()
        page.get_by_label("Folder", exact=True).fill(str(photos))
        page.get_by_role("button", name="Use folder").click()
        expect(page.locator("#health")).to_contain_text("images checked in")
        data_set = page.url
        page.goto(f"{data_set}/images")
        page.wait_for_load_state("networkidle")
        take(page, "data")
        page.goto(data_set)
        page.get_by_role("link", name="Train", exact=True).last.click()
        page.locator("#estimate .big").wait_for(timeout=JOB_SECONDS * 1000 * PATIENCE)
        if "It was busy" in page.locator("#estimate").inner_text():
            print("The machine was busy: take docs/console-train.png again on an idle one.")
        take(page, "train", last="#estimate")
        page.get_by_role("button", name="Start training").click()
        page.get_by_role("link", name="Try it").click(timeout=JOB_SECONDS * 1000 * PATIENCE)
        page.locator("#files").set_input_files(whole)
        page.locator(".card .percent").first.wait_for(timeout=SECONDS * 1000 * PATIENCE)
        page.locator(".neighbours li").nth(5).wait_for(timeout=SECONDS * 1000 * PATIENCE)
        page.get_by_role("button", name="Show what it rests on").click()
        page.locator(".card canvas").wait_for(timeout=SECONDS * 1000 * PATIENCE)
        page.wait_for_load_state("networkidle")
        take(page, "try", "#results", ".card")


def main() -> None:
    """Take those that the arguments ask for."""
    if len(sys.argv) == 1:
        with tempfile.TemporaryDirectory(prefix="screenshots-") as folder:
            take_for_the_guide(Path(folder))
        return
    with journeys.browser() as browser:
        visitor = Visitor(browser, RunningConsole(sys.argv[1], ROOT))
        page = visitor.opened()
        visitor.go(page, f"/jobs/{SAMPLE}/result/overview")
        take(page, "result")


if __name__ == "__main__":
    main()
