"""The Jobs screen in Debian's Chromium: it follows jobs by itself, and fits every width."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from image_classifier.console import events
from image_classifier.console.app import create_app
from image_classifier.console.context import Console
from image_classifier.console.queueing.job import Job
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job import EpochMetrics, JobStatus, State
from tests.image import chromium
from tests.image.chromium import Tab
from tests.support.consoles import ACCESS, make_console
from tests.support.notebook_proxy import NotebookProxy
from tests.support.scripted_runner import ScriptedRunner
from tests.support.waiting import wait_until
from tests.support.web_servers import in_a_thread

LONG = "a-name-of-sixty-three-characters-that-was-chosen-for-this-job-1"


@dataclass(frozen=True)
class Screen:
    """A console with one running job, and a browser in which its page is open."""

    console: Console
    runner: ScriptedRunner
    tab: Tab
    origin: str

    def go(self, path: str) -> None:
        """Open a page and wait until it is loaded."""
        self.tab.call("Page.navigate", url=self.origin + path)
        self.tab.wait_for(f"location.pathname + location.search === {path!r} && document.readyState === 'complete'")

    def update(self, status: JobStatus, name: str = "cells") -> None:
        """Let a job have another status."""
        job = self.console.queue.find(name)
        assert isinstance(job, Job)
        self.console.queue.update(job, status)

    def shows(self, text: str) -> bool:
        """Say whether the page has a text."""
        return bool(self.tab.evaluate(f"document.querySelector('main').innerText.includes({text!r})"))

    def streams(self) -> int:
        """Return how many streams of events are open."""
        return len(self.console.events._open)


def running(done: int) -> JobStatus:
    """Return a job after some epochs."""
    epochs = tuple(EpochMetrics(n, {"accuracy": n / 10, "val_accuracy": n / 11}) for n in range(1, done + 1))
    return JobStatus(State.RUNNING, "Training", done, 10, "epochs", eta_seconds=60, epochs=epochs, started=1.8e9)


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """Open the page of a running job in a browser that the console has admitted."""
    monkeypatch.setattr(events, "BEAT_SECONDS", 0.2)
    with shown(tmp_path) as found:
        found.tab.wait_for("location.search === '' && document.readyState === 'complete'")
        yield found


@contextmanager
def shown(folder: Path, prefix: str = "") -> Iterator[Screen]:
    """Open the page of a running job, behind a notebook's proxy that shows the console below `prefix` if there is one.

    In the end nothing was asked for elsewhere, and the browser has reported no error.
    """
    runner = ScriptedRunner()
    statuses: dict[str, JobStatus] = {"cells": running(3)}
    failure = "training is /gone, which is not a folder. Give a folder with one sub-folder per class."
    statuses |= {f"old-{n}": JobStatus(State.FINISHED, accuracy=0.9, started=1e9, ended=1e9 + n) for n in range(200)}
    statuses |= {LONG: JobStatus(State.FAILED, failure=failure, started=1e9, ended=1.7e9)}
    make_console(folder)
    for name, status in statuses.items():
        runner.statuses[name] = status
        job = folder / "home" / "jobs" / name
        runner.start(Experiment(name, "/photos/" + LONG, model="tensorflow-ic-" + LONG), job)
        runner.set(job, status.state)
        (job / "job.log").write_text("a line of the log that is longer than a telephone is wide\n" * 99)
    console = make_console(folder, runners={"local": runner})
    app = create_app(console, ACCESS)
    server = make_server("127.0.0.1", 0, NotebookProxy(app, prefix) if prefix else app, threaded=True)
    server.daemon_threads = True  # type: ignore[attr-defined]
    origin = f"http://127.0.0.1:{server.port}{prefix}"
    with in_a_thread(server):
        try:
            with chromium.opened(f"{origin}/jobs/cells?token={ACCESS.token}", folder) as tab:
                yield Screen(console, runner, tab, origin)
                assert tab.complaints() == []
                assert [one for one in tab.addresses() if not one.startswith((f"{origin}/", "about:"))] == []
        finally:
            console.events.close()


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something on the page."""
    wait_until(condition, 15, what, pause=0.1)


def test_page_follows_its_job_to_the_end(screen: Screen) -> None:
    """Given an open page -> progress and the end of the job appear without a reload, and the token left the address."""
    screen.tab.evaluate("window.before = true")
    assert screen.shows("epoch 3 of 10")
    screen.update(running(4))
    until(lambda: screen.shows("epoch 4 of 10"), "the page shows the fourth epoch")
    screen.update(JobStatus(State.FINISHED, accuracy=0.87, started=1.8e9, ended=1.8e9 + 60))
    until(lambda: screen.shows("Show the result"), "the page shows the actions of a finished job")
    assert screen.tab.evaluate("document.querySelector('[role=status]').textContent").startswith("cells: finished")
    assert screen.tab.evaluate("window.before") is True


def test_two_tabs_show_the_same(screen: Screen, tmp_path: Path) -> None:
    """Given the job in one tab and the list in another browser's tab -> a stop in the first appears in the second."""
    (tmp_path / "other").mkdir()
    with chromium.opened(f"{screen.origin}/jobs?token={ACCESS.token}", tmp_path / "other") as other:
        other.wait_for("location.search === '' && document.querySelector('#running .badge') !== null")
        until(lambda: screen.streams() == 2, "both tabs follow")
        screen.tab.evaluate("[...document.querySelectorAll('button')].find(b => b.innerText.includes('Stop')).click()")
        other.wait_for("document.querySelector('#running .badge')?.textContent !== 'running'")
        state = other.evaluate("document.querySelector('main').innerText")
    assert "stopp" in state, state
    assert ("stop", "cells") in screen.runner.calls


def test_hidden_tab_follows_nothing(screen: Screen) -> None:
    """Given a tab that is hidden -> its stream is closed; shown again, it catches up."""
    until(lambda: screen.streams() == 1, "the page follows")
    hide = "Object.defineProperty(document, 'hidden', {{configurable: true, get: () => {}}});"
    told = "document.dispatchEvent(new Event('visibilitychange'))"
    screen.tab.evaluate(hide.format("true") + told)
    until(lambda: screen.streams() == 0, "the stream is closed")
    screen.update(running(5))
    screen.tab.evaluate(hide.format("false") + told)
    until(lambda: screen.shows("epoch 5 of 10"), "the page has caught up")
    assert not screen.shows("epoch 3 of 10")
    until(lambda: screen.streams() == 1, "the page follows again")
    screen.update(running(6))
    until(lambda: screen.shows("epoch 6 of 10"), "what changes after that is shown too")
    assert screen.streams() == 1


def test_focus_and_scroll_position_survive_an_update(screen: Screen) -> None:
    """Given the focus on a button and a log that was scrolled up -> both are as before after an update."""
    screen.tab.evaluate("document.querySelector('#log-text').scrollTop = 120")
    screen.tab.evaluate("document.querySelector('#actions button').focus()")
    log = screen.console.jobs / "cells" / "job.log"
    log.write_text(f"{log.read_text()}one more line\n")
    screen.update(running(6))
    until(lambda: screen.shows("epoch 6 of 10"), "the page shows the sixth epoch")
    assert screen.tab.evaluate("document.querySelector('#log-text').scrollTop") == 120
    assert screen.tab.evaluate("document.activeElement.innerText").startswith("Stop")


def test_page_behind_a_proxy_follows_its_job(tmp_path: Path) -> None:
    """Given a notebook's proxy -> events come through it, a form stops the job, and no script asks out of its path."""
    with shown(tmp_path, "/user/ada/proxy/8000") as screen:
        screen.tab.wait_for("location.search === '' && document.querySelector('#running, #state') !== null")
        until(lambda: screen.streams() == 1, "the page follows")
        screen.update(running(4))
        until(lambda: screen.shows("epoch 4 of 10"), "the page shows the fourth epoch")
        screen.tab.evaluate("[...document.querySelectorAll('button')].find(b => b.innerText.includes('Stop')).click()")
        until(lambda: ("stop", "cells") in screen.runner.calls, "the job is stopped")
        for title in ("Data", "Models", "Train", "Results", "Try & deploy"):
            screen.tab.wait_for("document.readyState === 'complete' && document.querySelector('nav') !== null")
            screen.tab.evaluate(f"[...document.querySelectorAll('nav a')].find(a => a.text === {title!r}).click()")
            screen.tab.wait_for(f"document.querySelector('nav [aria-current=page]').text === {title!r}")
            assert screen.tab.evaluate("location.pathname").startswith("/user/ada/proxy/8000/")


@pytest.mark.parametrize("path", ["/jobs", "/jobs?state=failed", "/jobs/cells", "/jobs/old-3", f"/jobs/{LONG}"])
def test_no_page_scrolls_sideways(screen: Screen, path: str) -> None:
    """Given 200 jobs, long names and long lines -> at 1280 and 360 pixels each page is as wide as its window."""
    screen.go(path)
    for width in (1280, 360):
        screen.tab.look(width, "light")
        assert screen.tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
