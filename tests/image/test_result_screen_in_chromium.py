"""The Result screen in a browser: accessible at every width, decisions by one key, a slider without requests."""

from collections.abc import Iterator

import pytest
from werkzeug.serving import make_server

from image_classifier.console.app import create_app
from image_classifier.console.context import Console
from image_classifier.console.datasets import known, labels
from image_classifier.console.judging import decisions
from image_classifier.console.screens import result_frame
from image_classifier.contract import report_files
from image_classifier.evaluation import archive
from image_classifier.evaluation.report import page
from tests.image import chromium, page_tools
from tests.image.chromium import Tab
from tests.support import evaluations
from tests.support.consoles import ACCESS, make_console
from tests.support.web_servers import in_a_thread
from tests.unit.console.judging import judged_jobs

LOOKS = [(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")]
MANY = 40
"""Classes, more than a whole matrix is drawn of."""


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Console:
    """A console with a job of two classes, one of many, and one whose labels can be decided."""
    folder = tmp_path_factory.mktemp("console")
    found = make_console(folder)
    for classes in (2, MANY):
        evaluation = evaluations.complete(folder / f"data-{classes}", classes, 200)
        data = found.jobs / f"job-{classes}" / "output" / "data"
        data.mkdir(parents=True)
        archive.write(data / report_files.EVIDENCE, evaluation, page.draw(evaluation))
    judged_jobs.job_on_files(found, folder / "photos", "labels")
    decisions.remember(found.home, found.jobs / "labels")
    return found


@pytest.fixture(scope="module")
def base(console: Console) -> Iterator[str]:
    """The address of its server."""
    server = make_server("127.0.0.1", 0, create_app(console, ACCESS), threaded=True)
    with in_a_thread(server):
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture(scope="module")
def tab(base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A browser with the list of results; no script failed and nothing was rejected by the policy in the end."""
    with chromium.opened(f"{base}/results?token={ACCESS.token}", tmp_path_factory.mktemp("browser")) as opened:
        opened.wait_for("document.querySelector('main table') !== null")
        yield opened
        assert [each for each in opened.complaints() if "favicon" not in each] == []


def go(tab: Tab, address: str) -> None:
    """Open a page."""
    tab.call("Page.navigate", url=address)
    tab.wait_for(f"location.href.startsWith('{address}') && document.readyState === 'complete'")


@pytest.mark.parametrize("name", [*result_frame.TABS])
def test_tab_is_accessible_and_fits(name: str, tab: Tab, base: str) -> None:
    """Given a tab of two and of many classes, on a phone and a desk, light and dark -> axe-core finds nothing."""
    for job in ("job-2", f"job-{MANY}"):
        go(tab, f"{base}/jobs/{job}/result/{name}")
        for width, scheme in LOOKS:
            tab.look(width, scheme)
            assert page_tools.accessibility_errors(tab) == [], (job, width, scheme)
            root = "document.documentElement"
            assert tab.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0, (job, width)


@pytest.mark.parametrize("address", ["results", "jobs/labels/result/labels", f"jobs/job-{MANY}/result/mistakes/matrix"])
def test_further_pages_are_accessible(address: str, tab: Tab, base: str) -> None:
    """Given the list, the labels' form and the whole matrix -> axe-core finds nothing."""
    go(tab, f"{base}/{address}")
    for width, scheme in LOOKS:
        tab.look(width, scheme)
        assert page_tools.accessibility_errors(tab) == []


def test_labels_are_decided_with_one_key(tab: Tab, base: str, console: Console) -> None:
    """Given the queue -> M moves, D drops, K keeps, U takes back, each followed by the next label."""
    go(tab, f"{base}/jobs/labels/result/labels?at=0")
    (data_set,) = known.every(console.home)
    for number, key in enumerate("mdk", start=2):
        tab.evaluate(f"document.body.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}', bubbles: true}}))")
        tab.wait_for(f"document.getElementById('deciding-title')?.textContent.startsWith('Label {number} of 12')")
        tab.wait_for("document.readyState === 'complete'")
    assert [*labels.read(console.home, data_set.key).labels.values()] == ["circle", None, "square"]
    tab.evaluate("document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'u', bubbles: true}))")
    tab.wait_for("document.getElementById('deciding-title')?.textContent.includes('2 decided')")


def test_slider_needs_no_request(tab: Tab, base: str) -> None:
    """Given the slider moved to 0 and a cost typed -> all images answered, and the cost is that of the errors."""
    go(tab, f"{base}/jobs/job-2/result/calibration")
    before = len(tab.addresses())
    found = tab.evaluate(
        """(() => {
          const form = document.getElementById('thresholds');
          form.elements.threshold.value = 0;
          form.elements.error.value = 4;
          form.dispatchEvent(new Event('input', {bubbles: true}));
          const text = (id) => document.getElementById(id).textContent;
          return [text('coverage'), Number(text('wrong')), Number(text('cost'))];
        })()"""
    )
    assert found[0] == "100.0 %"
    assert found[2] == pytest.approx(found[1] * 4 / 200, abs=1e-3)
    assert len(tab.addresses()) == before


def test_page_stays_usable_without_scripts(tab: Tab, base: str) -> None:
    """Given a cell of the matrix -> a link whose page shows images; every image loads."""
    go(tab, f"{base}/jobs/job-2/result/mistakes")
    tab.evaluate("document.querySelector('.matrix td.wrong a').click()")
    tab.wait_for("location.pathname.endsWith('/mistakes/images') && document.readyState === 'complete'")
    tab.wait_for("[...document.images].filter((it) => it.loading !== 'lazy' || it.complete).every((it) => it.complete)")
    assert tab.evaluate("document.querySelectorAll('.gallery img').length") > 0
    assert tab.evaluate("[...document.images].filter((it) => it.complete && !it.naturalWidth).length") == 0
