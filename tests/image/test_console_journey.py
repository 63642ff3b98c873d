"""The console as a user meets it: from nothing to an answer, with the mouse and with the keyboard alone.

One console, one data set of real photographs whose class names are markup, one job of a real backbone.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from image_classifier.photographs import sample_sets
from tests.image import journeys
from tests.image.journeys import RunningConsole, Visitor, reach
from tests.image.shared_folders import SharedFolders
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.no_cover
HOSTILE = "birds <img src=x onerror=alert(1)>"
"""A class whose name would be an element if it were not escaped."""
IMAGES = 19
"""Of each class, as many as the smallest has."""
MISLABELLED = 3
JOB = "photos"
JOB_SECONDS = 300
"""That the one job may take; about 20 s on an idle machine."""


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    """An empty console beside a folder of photographs."""
    with journeys.running_console(tmp_path_factory.mktemp("journey")) as running:
        yield running


@pytest.fixture(scope="module")
def photos(console: RunningConsole, shared: SharedFolders) -> Path:
    """Stamps in class folders: the birds have a hostile name, and some of them lie with the mammals."""
    stamps = shared.filled("stamps", lambda folder: sample_sets.fetch("stamps", folder))
    folder = sample_sets.some(stamps, console.folder / "chosen", {"train": IMAGES})
    photos = (folder / "train").rename(console.folder / JOB)
    birds = (photos / "birds").rename(photos / HOSTILE)
    for bird in sorted(birds.iterdir())[:MISLABELLED]:
        bird.rename(photos / "mammals" / f"mislabelled-{bird.name}")
    return photos


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser; each visitor has a profile of their own."""
    with journeys.browser() as started:
        yield started


@pytest.fixture
def visitor(browser: Browser, console: RunningConsole) -> Iterator[Visitor]:
    """A user whose browser asked the console alone and reported no error in the end."""
    found = Visitor(browser, console)
    yield found
    found.context.close()
    assert found.problems == []


@pytest.fixture
def page(visitor: Visitor) -> Page:
    """A tab with the console."""
    return visitor.opened()


@pytest.fixture(scope="module")
def trained(browser: Browser, console: RunningConsole, photos: Path) -> str:
    """The name of a finished job, from a folder to its result with the mouse."""
    visitor = Visitor(browser, console)
    page = visitor.opened()
    page.get_by_label("Folder", exact=True).fill(str(photos))
    page.get_by_role("button", name="Use folder").click()
    expect(page.locator("#health")).to_contain_text("images checked in")
    page.get_by_role("link", name="Train", exact=True).last.click()
    expect(page.get_by_role("radio", name="Automatic")).to_be_checked()
    # Not needed for the start, so it may take as long as a job: on a busy machine it does.
    expect(page.locator("#estimate .big")).to_contain_text(re.compile(r"\d"), timeout=JOB_SECONDS * 1000 * PATIENCE)
    expect(page.locator("#estimate")).to_contain_text("Memory")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(f"**/jobs/{JOB}")
    expect(page.locator("#progress progress")).to_be_visible()
    page.get_by_role("link", name="Show the result").wait_for(timeout=JOB_SECONDS * 1000 * PATIENCE)
    visitor.context.close()
    assert visitor.problems == []
    return JOB


def click_to_answer(page: Page) -> None:
    """Go from an empty console to an answer on sample data."""
    page.get_by_role("button", name="Try with sample data").click()
    page.wait_for_url("**/jobs/solar")
    page.get_by_role("link", name="Try it").click(timeout=JOB_SECONDS * 1000 * PATIENCE)
    page.locator(".sample").first.click()
    expect(page.locator(".card .percent").first).to_contain_text("%")


@pytest.mark.every
def test_three_clicks_lead_from_nothing_to_an_answer(page: Page) -> None:
    """Given an empty console -> three clicks lead to an answer about a photo that training never saw."""
    page.add_init_script(
        "addEventListener('click', () => sessionStorage.clicks = 1 + Number(sessionStorage.clicks ?? 0), true)"
    )
    page.reload()
    click_to_answer(page)
    assert page.evaluate("Number(sessionStorage.clicks)") == 3


def test_corrected_label_gets_a_new_held_out_score(trained: str, page: Page) -> None:
    """Given a photo among the wrong ones -> one key moves it, and a click shows the held-out score that follows."""
    page.get_by_role("link", name="Results").click()
    page.get_by_role("link", name=trained).click()
    expect(page.locator(".verdict")).to_contain_text("% interval")
    page.get_by_role("navigation", name="Sections").get_by_role("link", name="Labels").click()
    expect(page.locator(".deciding")).to_contain_text("The model says")
    page.keyboard.press("m")
    expect(page.locator("#measured")).to_be_visible()
    page.get_by_role("button", name="Measure on the held-out images").click()
    expect(page.locator("#measured")).to_contain_text("A head fitted on the corrected labels is right on")
    expect(page.get_by_role("button", name="Train this again")).to_be_visible()


def test_photo_is_answered_with_its_evidence(trained: str, page: Page) -> None:
    """Given the result -> a held-out photo gets an answer, a heat map and similar training images."""
    page.goto(page.url.replace("/data", f"/jobs/{trained}/result/overview"))
    page.get_by_role("link", name="Try it").click()
    page.locator(".sample").first.click()
    expect(page.locator(".card .percent").first).to_contain_text("%")
    expect(page.locator(".neighbours li")).to_have_count(6)
    page.get_by_role("button", name="Show what it rests on").click()
    expect(page.locator(".card canvas")).to_be_visible()
    page.get_by_role("link", name="Deploy it").click()
    page.get_by_role("button", name="Start the endpoint").click()
    expect(page.locator(".badge").filter(has_text="ready")).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator("#status .badge")).to_have_text("stopped")


@pytest.mark.every
def test_keyboard_alone_starts_a_job(photos: Path, page: Page) -> None:
    """Given no mouse -> Tab, Enter and arrows lead from a folder's path to a started job, and stop it."""
    reach(page, "Folder")
    page.keyboard.type(str(photos))
    page.keyboard.press("Enter")
    page.wait_for_url("**/data/*")
    reach(page, "Look at images")
    reach(page, "Train")
    page.keyboard.press("Enter")
    page.wait_for_url("**/train*")
    reach(page, "Automatic")
    page.keyboard.press("ArrowDown")
    reach(page, "Start training")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/*")
    reach(page, "Stop")
    page.keyboard.press("Enter")
    expect(page.locator("#state .badge")).to_have_text(re.compile("stopp|failed"))


def test_keyboard_alone_gets_an_answer(trained: str, visitor: Visitor, page: Page) -> None:
    """Given a result and no mouse -> Tab and Enter lead to an answer about a held-out photo."""
    visitor.go(page, f"/jobs/{trained}/result/overview")
    reach(page, "Try it")
    page.keyboard.press("Enter")
    page.locator(".sample").first.wait_for()
    reach(page, "Classify")
    page.keyboard.press("Enter")
    expect(page.locator(".card .percent").first).to_contain_text("%")
    reach(page, "Show what it rests on")
    page.keyboard.press(" ")
    expect(page.locator(".card canvas")).to_be_visible()


def test_photo_from_the_camera_gets_an_answer(trained: str, visitor: Visitor, page: Page) -> None:
    """Given a camera that the user allows -> its photo is answered, and the camera is off afterwards."""
    visitor.go(page, f"/jobs/{trained}/try")
    page.locator(".sample").first.wait_for()
    page.get_by_role("button", name="Use the camera").click()
    expect(page.locator("#camera-state")).to_contain_text("sent only to this server")
    page.locator("#take").click()
    expect(page.locator(".card").filter(has_text="camera-").locator(".percent").first).to_contain_text("%")
    assert page.evaluate("document.querySelector('#camera video').srcObject") is None


def test_two_tabs_show_one_job(trained: str, visitor: Visitor, page: Page) -> None:
    """Given the labels in one tab -> a label decided in another is decided there too, and is not decided twice."""
    visitor.go(page, f"/jobs/{trained}/result/labels?at=1")
    other = visitor.context.new_page()
    visitor.go(other, f"/jobs/{trained}/result/labels?at=1")
    page.keyboard.press("k")
    page.wait_for_load_state()
    other.keyboard.press("d")
    expect(other.get_by_role("alert")).to_be_visible()


SCREENS = ["/data", "/models", "/models/lite0", "/train", "/jobs", "/results", "/deployments", "/jobs/none", "/nowhere"]
"""Beside those of the data set and of the job."""
TABS = [
    *("overview", "mistakes", "labels", "duplicates", "slices", "calibration", "unfamiliar", "compare", "files"),
]


EVERY_SCREEN = [*SCREENS, *(f"/jobs/{JOB}{rest}" for rest in ("", *(f"/result/{tab}" for tab in TABS), "/try"))]
BY_DEFAULT = ("/data", "/train", f"/jobs/{JOB}", f"/jobs/{JOB}/result/overview")
"""The other screens have tests of their own, with synthetic content."""


@pytest.mark.parametrize(
    "path", [pytest.param(path, marks=() if path in BY_DEFAULT else pytest.mark.every) for path in EVERY_SCREEN]
)
def test_screen_is_accessible_light_and_whole(trained: str, visitor: Visitor, page: Page, path: str) -> None:
    """Given each screen with real content, in each look -> accessible, not too wide, not too heavy."""
    visitor.go(page, path)
    if path.endswith("/try"):
        page.wait_for_load_state("networkidle")
    assert visitor.faults_of_page(page) == []
    assert visitor.weight(page) > 0


@pytest.mark.parametrize("part", ["", pytest.param("/images", marks=pytest.mark.every)])
def test_hostile_names_are_text(trained: str, visitor: Visitor, page: Page, part: str) -> None:
    """Given a class whose name is an element -> the data set's screens show it as text, and are accessible."""
    page.get_by_role("link", name=JOB, exact=True).click()
    page.wait_for_url("**/data/*")
    visitor.go(page, page.url.removeprefix(visitor.console.origin) + part)
    expect(page.get_by_text(HOSTILE).first).to_be_attached()
    assert page.locator("img[src=x]").count() == 0
    assert visitor.faults_of_page(page) == []
