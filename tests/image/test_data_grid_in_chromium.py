"""The grid of the Data screen in a browser: few cells for many images, selection by keyboard and mouse, an upload."""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from image_classifier.console import tasks
from image_classifier.console.app import create_app
from image_classifier.console.context import Console
from image_classifier.console.datasets import health, known, labels
from tests.image import chromium
from tests.image.chromium import Tab
from tests.support.consoles import ACCESS, make_console
from tests.support.data_folders import image_bytes
from tests.support.web_servers import in_a_thread

COUNT = 3000
"""Images, many more than fit on a screen."""
MARKUP = "<img src=x onerror=\"document.title='owned'\">"


@dataclass(frozen=True)
class Shown:
    """A console in a browser."""

    tab: Tab
    console: Console
    origin: str
    key: str
    folder: Path

    def go(self, path: str) -> None:
        """Open a page."""
        self.tab.call("Page.navigate", url=self.origin + path)
        self.tab.wait_for(f"location.pathname === '{path}' && document.readyState === 'complete'")

    def open_grid(self) -> None:
        """Open the images of the data set, without labels, and focus the first one."""
        labels.path(self.console.home, self.key).unlink(missing_ok=True)
        self.go(f"/data/{self.key}/images")
        self.tab.wait_for("document.querySelector('#grid li[data-index=\"0\"] input')?.value > ''")
        self.tab.evaluate("document.querySelector('#grid li[data-index=\"0\"] input').focus()")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """A data set of equal images in two classes, one of which is called like markup."""
    folder = tmp_path_factory.mktemp("grid")
    console = make_console(folder)
    content = image_bytes("one", (24, 24))
    for name in ("a", MARKUP.replace("/", "")):
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(COUNT // 2):
            (folder / "photos" / name / f"{number:05}.png").write_bytes(content)
    key = known.add(console.home, "photos", {"training": folder / "photos"}).key
    server = make_server("127.0.0.1", 0, create_app(console, ACCESS), threaded=True)
    origin = f"http://127.0.0.1:{server.port}"
    address = f"{origin}/data?token={ACCESS.token}"
    with in_a_thread(server), chromium.opened(address, tmp_path_factory.mktemp("browser")) as tab:
        tab.wait_for("document.title.startsWith('Data')")
        yield Shown(tab, console, origin, key, folder)
        # The browser reports the answer to the slower tab as an error.
        assert [said for said in tab.complaints() if "status of 409" not in said] == []
        assert [address for address in tab.addresses() if not address.startswith((origin, "about:"))] == []
    for data_set in known.every(console.home):
        tasks.cancel(health.folder(console.home, data_set.key))


def test_few_cells_show_many_images(shown: Shown) -> None:
    """Given thousands of images -> the page holds the cells in sight alone, and no markup of theirs runs."""
    shown.tab.look(1280, "light")
    shown.open_grid()
    assert shown.tab.evaluate("document.querySelectorAll('#grid li').length") < 100
    shown.tab.press("End")
    shown.tab.wait_for(f"document.activeElement.closest('li')?.dataset.index === '{COUNT - 1}'")
    shown.tab.wait_for("document.activeElement.value.endsWith('01499.png')")
    shown.tab.wait_for("document.activeElement.nextElementSibling.naturalWidth > 0")
    assert shown.tab.evaluate("document.querySelectorAll('#grid li').length") < 100
    assert shown.tab.evaluate("document.title").startswith("Images of")


def test_images_are_selected_and_excluded_by_the_keyboard_alone(shown: Shown) -> None:
    """Given three images selected with arrows and Space -> Delete excludes them, and undo brings them back."""
    shown.open_grid()
    for key in (" ", "ArrowRight", " ", "ArrowDown", " "):
        shown.tab.press(key)
    shown.tab.wait_for("document.getElementById('selected').textContent === '3 selected'")
    shown.tab.press("Delete")
    shown.tab.wait_for("document.querySelectorAll('#grid .excluded').length === 3")
    assert len(labels.read(shown.console.home, shown.key).labels) == 3
    shown.tab.evaluate("document.querySelector('#changes button[value=undo]').click()")
    shown.tab.wait_for("document.querySelectorAll('#grid .excluded').length === 0")
    assert labels.read(shown.console.home, shown.key).labels == {}


def test_slower_tab_keeps_its_selection(shown: Shown) -> None:
    """Given labels that changed meanwhile -> a message, the selection stays, and a second try succeeds."""
    shown.open_grid()
    edit = labels.Edit(labels.Action.EXCLUDE, ("training/a/00100.png",))
    labels.edit(shown.console.home, shown.key, edit, 0)
    shown.tab.press(" ")
    shown.tab.press("Delete")
    shown.tab.wait_for("document.getElementById('mistake').textContent.includes('another tab')")
    assert shown.tab.evaluate("document.getElementById('selected').textContent") == "1 selected"
    shown.tab.evaluate("document.querySelector('#edit button[value=exclude]').click()")
    shown.tab.wait_for("document.querySelectorAll('#grid .excluded').length === 1")
    assert len(labels.read(shown.console.home, shown.key).labels) == 2


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_screen(width: int, shown: Shown) -> None:
    """Given a phone and a desktop -> no page of the screen scrolls sideways."""
    for path in ("/data", f"/data/{shown.key}", f"/data/{shown.key}/images", "/data/folders"):
        shown.tab.look(width, "dark")
        shown.go(path)
        assert shown.tab.evaluate("document.documentElement.scrollWidth") <= width, path


def test_chosen_archive_is_uploaded_and_leads_to_its_data_set(shown: Shown) -> None:
    """Given a zip file in the form -> it is sent with progress, unpacked, and its page opens."""
    archive = shown.folder / "flowers.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("roses/1.png", "roses/2.png", "tulips/1.png"):
            file.writestr(name, image_bytes(name))
    shown.go("/data")
    shown.tab.choose_files("#archive", archive)
    shown.tab.evaluate("document.querySelector('#upload button:not([type])').click()")
    shown.tab.wait_for("document.title.startsWith('flowers')")
    assert "3 images in 2 classes" in shown.tab.evaluate("document.querySelector('.sub').textContent")


def test_dropped_folder_is_uploaded_with_its_files(shown: Shown) -> None:
    """Given folders dropped on the page -> one is sent file by file and its page opens; of two a sentence says why."""
    for name in ("day/1.png", "day/2.png", "night/1.png"):
        path = shown.folder / "sky" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image_bytes(name))
    shown.tab.look(1280, "light")
    shown.go("/data")
    shown.tab.evaluate("document.getElementById('drop').scrollIntoView({block: 'center'})")
    shown.tab.drop("#drop", shown.folder / "sky" / "day", shown.folder / "sky" / "night")
    shown.tab.wait_for("document.getElementById('upload-progress').textContent.includes('Drop one folder')")
    assert shown.tab.evaluate("location.pathname") == "/data"
    shown.tab.drop("#drop", shown.folder / "sky")
    shown.tab.wait_for("document.title.startsWith('sky')")
    assert "3 images in 2 classes" in shown.tab.evaluate("document.querySelector('.sub').textContent")
