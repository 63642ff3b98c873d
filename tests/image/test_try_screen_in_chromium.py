"""The console's Try screen in a browser: from the list of models to an answer, a heat map and a correction."""

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from werkzeug.serving import make_server

from image_classifier.console import tasks
from image_classifier.console.app import create_app
from image_classifier.console.context import Console
from image_classifier.console.screens import try_model
from image_classifier.console.trying import batches, corrections, trials
from image_classifier.runners import processes
from image_classifier.runners.endpoints import record, servers
from tests.image import chromium, page_tools
from tests.image.chromium import Tab
from tests.support.consoles import ACCESS
from tests.support.try_jobs import finished_job
from tests.support.web_servers import in_a_thread

WIDTHS = (360, 1280)
LOOKS = [(width, scheme) for width in WIDTHS for scheme in ("light", "dark")]
TARGET = 44
"""Pixels of a target's height, at least (WCAG 2.5.5)."""


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console with a finished job; its endpoints are killed at the end."""
    found = finished_job(tmp_path_factory.mktemp("console"))
    home = trials.home_of(found.home)
    write_batch_jobs(home)
    yield found
    for endpoint in servers.all_of(home):
        if process := processes.read(home / endpoint.name / record.PROCESS):
            processes.kill_session(process)


@pytest.fixture(scope="module")
def tab(console: Console, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """The Try page of the job, reached from the list of models by one click."""
    app = create_app(console, ACCESS)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    address = f"http://127.0.0.1:{server.port}/deployments?token={ACCESS.token}"
    with in_a_thread(server), chromium.opened(address, tmp_path_factory.mktemp("browser")) as opened:
        opened.wait_for("document.querySelector('.models .action') !== null")
        opened.evaluate("document.querySelector('.models .action').click()")
        opened.wait_for("document.getElementById('made')?.hidden === false")
        yield opened
        assert opened.complaints() == []
    app.extensions[try_model.EVIDENCE].close()


def write_batch_jobs(home: Path) -> None:
    """Leave batch jobs in all their states: one that runs, one that failed, one with answers."""
    sentences = {"running": "Uploading 120 images", "failed": "UserError: role: AWS does not know it.", "finished": ""}
    for number, (state, line) in enumerate(sentences.items(), start=1):
        folder = home / "batch" / f"colours-batch-{number}"
        (folder / "task").mkdir(parents=True)
        images = f"s3://a-bucket-with-a-long-name/photographs/{state}/"
        (folder / "request.json").write_text(json.dumps({"job": "colours", "images": images}))
        (folder / "task" / tasks.LOG).write_text(f"{line}\n")
        this = processes.record(os.getpid())
        owner = this if state == "running" else dataclasses.replace(this, start_ticks=this.start_ticks - 1)
        processes.write(folder / "task" / tasks.PROCESS, owner)
        if state == "finished":
            (folder / batches.ANSWERS).write_text("image,label\n")


def wait_until_answered(tab: Tab, count: int) -> None:
    """Wait until there are so many cards, none of which waits; the dialog of one image may hold another."""
    tab.wait_for(f"document.querySelectorAll('#cards .card:not(.waiting)').length === {count}")


def test_sample_is_answered_with_similar_training_images(tab: Tab) -> None:
    """Given a click on a held-out image -> label, score in words and as measured, and six similar training images."""
    tab.wait_for("document.querySelectorAll('.sample').length === 12")
    tab.evaluate("document.querySelectorAll('.sample')[5].click()")
    wait_until_answered(tab, 1)
    assert tab.evaluate("document.querySelector('.card .answer').textContent") == "green"
    words = tab.evaluate("document.querySelector('.card .score').innerText")
    assert "held-out image" in words
    assert "95 % interval" in words
    tab.wait_for("document.querySelectorAll('.neighbours li').length === 6")
    labels = tab.evaluate("[...document.querySelectorAll('.neighbours .label')].map((it) => it.textContent)")
    assert (len(labels), labels[0]) == (6, "green")


def test_heat_map_lies_on_the_image(tab: Tab) -> None:
    """Given the button under an answer -> a map of the image's proportions; the same button removes it."""
    tab.evaluate("document.querySelector('.card .explain').click()")
    tab.wait_for("document.querySelector('.card canvas') !== null")
    drawn, image = (
        tab.evaluate(f"(({name}) => [{name}.{wide}, {name}.{high}])(document.querySelector('.card {name}'))")
        for name, wide, high in (("canvas", "width", "height"), ("img", "naturalWidth", "naturalHeight"))
    )
    assert drawn[0] / drawn[1] == pytest.approx(image[0] / image[1], abs=0.01)
    assert "points" in tab.evaluate("document.querySelector('.card .map').textContent")
    tab.evaluate("document.querySelector('.card .explain').click()")
    assert tab.evaluate("document.querySelector('.card canvas') === null")


def test_wrong_answer_is_corrected(tab: Tab, console: Console) -> None:
    """Given another class chosen under an answer -> the image is kept under it; taking it back removes it."""
    tab.evaluate("document.querySelector('.card .mark').click()")
    assert tab.evaluate("document.activeElement.tagName") == "SELECT"
    tab.evaluate("document.activeElement.value = 'blue'; document.querySelector('.wrong').requestSubmit()")
    tab.wait_for("document.querySelector('.corrected').textContent.includes('it is blue')")
    folder = corrections.folder_of(console.home, "colours")
    assert [path.parent.name for path in folder.glob("*/*")] == ["blue"]
    tab.evaluate("document.querySelector('.card .mark').click()")
    tab.wait_for("document.querySelector('.corrected').hidden")
    assert list(folder.glob("*/*")) == []


def test_many_images_are_summarised_filtered_and_sorted(tab: Tab, tmp_path: Path) -> None:
    """Given 40 images and a text -> counts, a filter, an order, one image in a dialog, a line of CSV each."""
    tab.evaluate("document.getElementById('clear').click()")
    colours = ((180, 40, 40), (40, 180, 40), (40, 40, 180), (110, 100, 100))
    files = []
    for index in range(40):
        files.append(tmp_path / f"image {index}.png")
        Image.new("RGB", (60, 40 + index), colours[index % 4]).save(files[-1])
    (tmp_path / "notes.txt").write_text("no image")
    tab.choose_files("#files", *files, tmp_path / "notes.txt")
    tab.wait_for("document.querySelectorAll('.shot').length === 41 && document.getElementById('progress').hidden")
    summary = tab.evaluate("document.getElementById('summary').textContent")
    assert "40 images classified" in summary
    assert "10 with a doubtful score" in summary
    assert "1 not classified" in summary
    tab.evaluate("((it) => { it.value = 'doubtful'; it.dispatchEvent(new Event('change')); })(filter)")
    assert tab.evaluate("document.querySelectorAll('.shot').length") == 10
    tab.evaluate("((it) => { it.value = 'all'; it.dispatchEvent(new Event('change')); })(filter)")
    tab.evaluate("((it) => { it.value = 'doubtful'; it.dispatchEvent(new Event('change')); })(order)")
    scores = tab.evaluate("[...document.querySelectorAll('.shot .percent')].map((it) => parseFloat(it.textContent))")
    answered = [score for score in scores if score is not None]
    assert answered == sorted(answered)
    assert "notes.txt is text, not an image" in tab.evaluate("document.querySelector('li.failed .label').textContent")
    tab.evaluate("document.querySelector('.shot').focus(); document.querySelector('.shot').click()")
    assert tab.evaluate("document.getElementById('position').textContent") == "Image 1 of 41"
    tab.press("ArrowRight")
    assert tab.evaluate("document.getElementById('position').textContent") == "Image 2 of 41"
    tab.evaluate("document.getElementById('close-detail').click()")
    tab.wait_for("!document.getElementById('detail').open")
    assert tab.evaluate("document.activeElement === document.querySelectorAll('.shot')[1]")
    tab.evaluate(
        "window.saved = null; const make = URL.createObjectURL; "
        "URL.createObjectURL = (blob) => { if (blob.type === 'text/csv') "
        "blob.text().then((text) => window.saved = text); return make(blob); }; "
        "document.getElementById('download').click()"
    )
    tab.wait_for("window.saved !== null")
    lines = str(tab.evaluate("window.saved")).splitlines()
    assert lines[0].startswith("file,predicted_label,probability")
    assert len(lines) == 42


def test_pasted_and_dropped_images_are_answered(tab: Tab, tmp_path: Path) -> None:
    """Given an image in the clipboard, and one dropped on the page -> an answer for each."""
    tab.evaluate("document.getElementById('clear').click()")
    tab.evaluate(
        """(async () => {
          const canvas = Object.assign(document.createElement('canvas'), {width: 40, height: 30});
          const context = canvas.getContext('2d');
          context.fillStyle = 'rgb(40, 40, 180)';
          context.fillRect(0, 0, 40, 30);
          const blob = await new Promise((done) => canvas.toBlob(done, 'image/png'));
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([blob], 'pasted.png', {type: 'image/png'}));
          document.dispatchEvent(new ClipboardEvent('paste', {clipboardData, bubbles: true}));
        })()"""
    )
    wait_until_answered(tab, 1)
    assert tab.evaluate("document.querySelector('#cards .answer').textContent") == "blue"
    Image.new("RGB", (50, 40), (180, 40, 40)).save(tmp_path / "dropped.png")
    tab.evaluate("document.querySelector('main').scrollIntoView()")
    tab.drop("main h1", tmp_path / "dropped.png")
    wait_until_answered(tab, 2)
    answers = tab.evaluate("[...document.querySelectorAll('#cards .answer')].map((it) => it.textContent)")
    assert sorted(answers) == ["blue", "red"]


def test_camera_that_is_missing_is_explained(tab: Tab) -> None:
    """Given a machine without a camera -> a sentence that names the other ways, and no photo can be taken."""
    tab.evaluate("document.getElementById('open-camera').click()")
    tab.wait_for("!document.getElementById('camera-state').textContent.startsWith('Waiting')")
    text = tab.evaluate("document.getElementById('camera-state').textContent")
    assert "has no camera" in text or "is blocked" in text
    assert tab.evaluate("document.getElementById('take').disabled")
    tab.evaluate("document.getElementById('close-camera').click()")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_page_fits_and_is_accessible(tab: Tab, width: int, scheme: str, tmp_path: Path) -> None:
    """Given a phone's and a desk's width -> nothing to scroll sideways to, large buttons, no finding of axe-core."""
    tab.look(width, scheme)
    assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    small = tab.evaluate(
        "[...document.querySelectorAll('.try :is(button, select)')].filter((it) => it.checkVisibility() && "
        f"it.getBoundingClientRect().height < {TARGET}).map((it) => it.outerHTML)"
    )
    assert small == []
    assert page_tools.accessibility_errors(tab) == []
    tab.take_screenshot(tmp_path / f"try-{width}-{scheme}.png")


@pytest.mark.parametrize("query", ["", "?where=docker", "?where=serverless&code=sdk3", "?where=batch&images=none"])
def test_list_of_endpoints_is_accessible(tab: Tab, query: str, tmp_path: Path) -> None:
    """Given endpoints and batch jobs in every state, and each shape of the form -> nothing that axe-core finds."""
    page = str(tab.evaluate("location.origin + '/deployments'")) + query
    tab.call("Page.navigate", url=page)
    tab.wait_for(f"location.href === '{page}' && document.readyState === 'complete'")
    tab.evaluate("document.querySelector('[data-copy]').click()")
    tab.wait_for("/Copied|press Ctrl/.test(document.querySelector('[data-copy] + [role=status]').textContent)")
    states = tab.evaluate("[...document.querySelectorAll('#batches .badge')].map((it) => it.textContent)")
    assert sorted(states) == ["failed", "finished", "running"]
    for width, scheme in LOOKS:
        tab.look(width, scheme)
        assert tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        assert page_tools.accessibility_errors(tab) == []
        tab.take_screenshot(tmp_path / f"deploy-{width}-{scheme}.png")


def test_only_the_console_is_asked(tab: Tab) -> None:
    """Given all that the page has asked for -> the console's addresses, or the browser's own memory."""
    hosts = {address.split("/")[2] for address in tab.addresses() if address.startswith("http")}
    assert len(hosts) == 1
