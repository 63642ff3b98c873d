"""The try-it page as a browser shows it: EfficientNet-Lite0 behind scripts/serve-locally, two real photographs."""

import http.client
import json
import shutil
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from image_classifier import artifacts, pages
from image_classifier.pages import try_page
from image_classifier.serving import page as web_ui
from tests.image import chromium
from tests.image.chromium import Tab
from tests.image.containers import ISOLATED, Start
from tests.platform.serving import served_locally
from tests.support import named_photographs

MARKUP = "<img src=x onerror=\"document.title='owned'\"><b>bold</b>"
IMAGES = ("coffee.png", "chelsea.png")


@dataclass(frozen=True)
class Shown:
    """The page in a browser, and where its server is."""

    tab: Tab
    port: int
    folder: Path
    """With the images, half of one, and a text that is named like one."""

    def wait_until_answered(self, count: int) -> None:
        """Wait until there are so many cards, none of which waits."""
        self.tab.wait_for(
            f"document.querySelectorAll('.card').length === {count} && !document.querySelector('.card.waiting')"
        )

    def classify(self, name: str, count: int) -> dict[str, list[str] | list[float] | str]:
        """Return the answer over HTTP that the page must show."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {
            "Content-Type": "application/x-image",
            "Accept": f"application/json;verbose;n_predictions={count}",
        }
        connection.request("POST", "/invocations", (self.folder / name).read_bytes(), headers)
        found: dict[str, list[str] | list[float] | str] = json.load(connection.getresponse())
        connection.close()
        return found


@pytest.fixture(scope="module")
def model(pretrained_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pre-trained model with markup for the name of its first class."""
    folder = tmp_path_factory.mktemp("page") / "model"
    shutil.copytree(pretrained_model, folder)
    artifacts.write_labels(folder, (MARKUP, *artifacts.read_labels(folder)[1:]))
    return folder


@pytest.fixture(scope="module")
def shown(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """The page with an answer for each photograph and the reason why half of one gets none."""
    folder = tmp_path_factory.mktemp("browser")
    for name in IMAGES:
        (folder / name).write_bytes(named_photographs.of_wheel(name))
    (folder / "text.jpg").write_text("no image")
    (folder / "broken.jpg").write_bytes(named_photographs.of_wheel("coffee.png")[:2000])
    with served_locally(model) as (_, url), chromium.opened(url.removesuffix("invocations"), folder) as tab:
        found = Shown(tab, urllib.parse.urlsplit(url).port or 0, folder)
        tab.wait_for("!document.getElementById('made').hidden")
        tab.choose_files("#files", *(folder / name for name in (*IMAGES, "broken.jpg")))
        found.wait_until_answered(3)
        yield found
        # Whatever the tests did to the page; that half an image was rejected and the server away once is not a fault.
        expected = ("status of 400", "ERR_INTERNET_DISCONNECTED")
        assert [text for text in tab.complaints() if not any(word in text for word in expected)] == []


def lines(tab: Tab, card: int) -> list[list[str]]:
    """Return the bars of a card: label and percentage."""
    row = "[...row.querySelectorAll('.label, .percent')].map((part) => part.textContent)"
    bars = f"[...document.querySelectorAll('.card')[{card}].querySelectorAll('.bars li')]"
    return [list(map(str, entry)) for entry in tab.evaluate(f"{bars}.map((row) => {row})")]


def test_images_show_the_servers_answers(shown: Shown) -> None:
    """Two photographs -> the label, the five best names and their probabilities as over HTTP, bars as long as these."""
    for card, name in enumerate(IMAGES):
        expected = shown.classify(name, 5)
        answer = shown.tab.evaluate(f"document.querySelectorAll('.card .answer')[{card}].textContent")
        assert answer == expected["predicted_label"]
        probabilities = [float(value) for value in expected["probabilities"]]
        found = lines(shown.tab, card)
        assert [label for label, _ in found] == expected["labels"]
        assert [float(text.strip("<>% ")) for _, text in found] == [
            pytest.approx(100 * value, abs=0.11) for value in probabilities
        ]
        shares = shown.tab.evaluate(
            f"[...document.querySelectorAll('.card')[{card}].querySelectorAll('.fill')].map("
            "(fill) => fill.offsetWidth / fill.parentElement.offsetWidth)"
        )
        assert shares == [pytest.approx(value, abs=0.02) for value in probabilities]
    time = shown.tab.evaluate("document.querySelector('.card .time').textContent")
    assert time.startswith("Answered in ")
    assert time.endswith(" in the server")


def test_rejection_is_the_servers_sentence(shown: Shown) -> None:
    """Half an image -> what the server says about it, on the card and to those who only listen."""
    message = shown.classify("broken.jpg", 5)["message"]
    assert shown.tab.evaluate("document.querySelector('.card.failed .answer').textContent") == message
    news = shown.tab.evaluate("document.querySelector('[aria-live=polite]').textContent")
    assert f"broken.jpg: {message}" in news
    assert f"coffee.png: {shown.classify('coffee.png', 1)['predicted_label']}, " in news


def test_markup_in_a_name_stays_text(shown: Shown) -> None:
    """All 1,000 classes, one of which is markup -> every name is listed as it is written, and nothing of it runs."""
    shown.tab.evaluate("document.querySelector('.card .more').click()")
    shown.tab.wait_for("document.querySelectorAll('.names li').length === 1000")
    found = lines(shown.tab, 0)
    assert len(found) == 1000
    assert sorted(label for label, _ in found) == sorted(map(str, shown.classify("coffee.png", 1000)["labels"]))
    assert shown.tab.evaluate("document.querySelector('.names li').textContent") == MARKUP
    assert shown.tab.evaluate("document.querySelectorAll('.label *, .names li *').length") == 0
    assert shown.tab.evaluate("document.title") == "1,000 classes – image classifier"
    shown.tab.evaluate("document.querySelector('.card .more').click()")
    assert len(lines(shown.tab, 0)) == 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_fits_every_screen(shown: Shown, width: int, scheme: str, tmp_path: Path) -> None:
    """A phone's to a desk's width, light and dark -> nothing to scroll sideways to, and a screenshot to look at."""
    shown.tab.look(width, scheme)
    wide = "[...document.querySelectorAll('body *')].filter((it) => !it.closest('pre, .visually-hidden') && "
    wide += "it.getBoundingClientRect().right > document.documentElement.clientWidth).map((it) => it.outerHTML)"
    assert shown.tab.evaluate(wide) == []
    assert shown.tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    brightness = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((sum, part) => sum + +part, 0)"
    assert (shown.tab.evaluate(brightness) > 600) == (scheme == "light")
    shown.tab.take_screenshot(tmp_path / f"page-{width}-{scheme}.png")


def focused(tab: Tab) -> str:
    """Say what has the focus; it must be seen to have it."""
    visible = "getComputedStyle(it).outlineStyle !== 'none'"
    place = "[document.activeElement, document.activeElement.closest('div'), document.activeElement.nextElementSibling]"
    assert tab.evaluate(f"{place}.some((it) => it && {visible})"), "the focus is not visible"
    return str(tab.evaluate("(document.activeElement.ariaLabel || document.activeElement.id || '')"))


def test_keyboard_reaches_everything(shown: Shown) -> None:
    """Tab from the top -> the files first, then the results' buttons, the names, the chosen call and its button."""
    shown.tab.look(1280, "light")
    shown.tab.evaluate("document.activeElement.blur(), getSelection().removeAllRanges(), scrollTo(0, 0)")
    stops: list[str] = []
    while len(stops) < 30 and (not stops or stops[-1] != "Copy the curl call"):
        shown.tab.press("Tab")
        stops.append(focused(shown.tab))
    assert stops[:5] == ["files", "choose-folder", "open-camera", "download", "clear"]
    assert stops[-2:] == ["curl", "Copy the curl call"]


@pytest.mark.parametrize("key", ["Enter", " "])
def test_keys_open_the_file_dialog(shown: Shown, key: str) -> None:
    """Enter and Space on the zone -> the browser asks for files, several at once."""
    shown.tab.call("Page.setInterceptFileChooserDialog", enabled=True)
    before = len(shown.tab.told("Page.fileChooserOpened"))
    shown.tab.evaluate("document.getElementById('files').focus()")
    shown.tab.press(key)
    shown.tab.wait_for("1 + 1 === 2")
    opened = shown.tab.told("Page.fileChooserOpened")[before:]
    shown.tab.call("Page.setInterceptFileChooserDialog", enabled=False)
    assert [event["mode"] for event in opened] == ["selectMultiple"]


def test_call_is_copied(shown: Shown) -> None:
    """The arrow key to the next call, and its button -> the clipboard holds it, with this server's address."""
    shown.tab.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    shown.tab.evaluate("document.querySelector('[value=curl]').focus()")
    shown.tab.press("ArrowRight")
    assert shown.tab.evaluate("[...document.querySelectorAll('figure')].map((it) => it.hidden)") == [True, False, True]
    shown.tab.evaluate("document.querySelector('#python .copy').focus()")
    shown.tab.press("Enter")
    shown.tab.wait_for("document.querySelector('#python .copy').textContent === 'Copied'")
    text = str(shown.tab.evaluate("navigator.clipboard.readText()"))
    assert f'"http://127.0.0.1:{shown.port}/invocations",' in text
    compile(text, "the call", "exec")


def test_image_is_asked_again_when_the_server_is_back(shown: Shown) -> None:
    """A server that cannot be reached -> the card says so and keeps a button that asks again, which later works."""
    shown.tab.evaluate("document.getElementById('clear').click()")
    shown.tab.disconnect(True)
    shown.tab.choose_files("#files", shown.folder / "coffee.png")
    shown.wait_until_answered(1)
    said = "document.querySelector('.card .answer').textContent"
    assert shown.tab.evaluate(said) == "The server is not responding. Is it still running?"
    shown.tab.disconnect(False)
    shown.tab.evaluate("document.querySelector('.card .again').focus()")
    shown.tab.press("Enter")
    shown.wait_until_answered(1)
    assert shown.tab.evaluate(said) == shown.classify("coffee.png", 1)["predicted_label"]
    assert shown.tab.evaluate("document.activeElement.className") == "answer"
    assert shown.tab.evaluate("document.querySelector('.card .again').hidden")


def test_everything_comes_from_the_server(shown: Shown) -> None:
    """All that the page has asked for by now -> this server's, or the browser's own memory."""
    hosts = {urllib.parse.urlsplit(address).netloc for address in shown.tab.addresses() if address[:5] != "blob:"}
    assert hosts == {f"127.0.0.1:{shown.port}"}
    paths = {urllib.parse.urlsplit(address).path for address in shown.tab.addresses()}
    assert {"/", "/page/facts", "/page/style.css", "/invocations"} <= paths


def test_clearing_returns_to_the_start(shown: Shown) -> None:
    """The button that clears -> no results, and the focus on the files."""
    shown.tab.evaluate("document.getElementById('clear').click()")
    assert shown.tab.evaluate("document.getElementById('results').hidden && !document.querySelector('.card')")
    assert focused(shown.tab) == "files"


def test_slim_image_has_the_page_when_asked(start: Start, serve_image: str, model: Path) -> None:
    """The serve image with SERVE_PAGE=true -> the page and every file that it names."""
    options = (*ISOLATED, "--volume", f"{model}:/opt/ml/model:ro", "--env", "SERVE_PAGE=true")
    container = start("serve", image=serve_image, options=options)
    container.wait_for_ping()
    assert b'<div id="try"' in container.ask("/").body
    for name in web_ui.SHARED:
        assert container.ask(f"/page/{name}").body == (pages.FOLDER / name).read_bytes()
    for path in try_page.STATIC.iterdir():
        assert container.ask(f"/page/{path.name}").body == path.read_bytes()
