"""A console as its users start it, and visitors of it whose requests, errors and pages' weights are watched."""

import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, expect, sync_playwright

from image_classifier.runners import processes
from tests.image import page_tools
from tests.support.environments import unmeasured
from tests.support.python_environments import PROJECT
from tests.support.waiting import PATIENCE, free_port, wait_until

LOOKS = [(width, scheme) for width in (1280, 360) for scheme in ("light", "dark")]
LARGEST_PAGE = 150_000
"""Bytes of a page with its styles and scripts, without photographs."""
SECONDS = 60
"""That any one step may take, a job apart."""
_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
"""Chromium's own camera, which shows a moving pattern, and a user who allows it."""


@dataclass(frozen=True)
class RunningConsole:
    """A console of this machine: where it can be opened, and where its data lie."""

    address: str
    """With its token."""
    folder: Path
    """What it may read; its home lies in it."""

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self.address.partition("/?")[0]


@contextmanager
def running_console(folder: Path) -> Iterator[RunningConsole]:
    """Start `scripts/console` with its home in `folder`; jobs and servers that it started end with it."""
    home, log = folder / "home", folder / "console.log"
    options = ["--port", str(free_port()), "--home", str(home), "--root", str(folder), "--no-open"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [PROJECT / "scripts" / "console", *options], stdout=out, stderr=out, env=unmeasured()
        )
    try:
        wait_until(lambda: "is ready" in log.read_text(), SECONDS, "the console is ready", pause=0.1)
        yield RunningConsole(str(re.search(r"http\S+", log.read_text())[0]), folder)  # type: ignore[index]
    finally:
        process.terminate()
        process.wait(SECONDS)
        _kill_all_of(home)


def _kill_all_of(home: Path) -> None:
    """Kill what outlives a console: jobs, servers and measurements, each in a session of its own."""
    records = [found for path in home.rglob("process.json") if (found := processes.read(path))]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if str(home).encode() in path.read_bytes():
                records.append(processes.record(int(path.parent.name)))
    for found in records:
        processes.kill_session(found)


class Visitor:
    """A user with a browser of their own; `problems` is what a user would have noticed, or should have."""

    def __init__(self, browser: Browser, console: RunningConsole):
        self.console = console
        self.context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        self.context.set_default_timeout(SECONDS * 1000 * PATIENCE)
        self.problems: list[str] = []
        self._weights: dict[str, int] = {}
        self._requested: dict[Page, set[str]] = defaultdict(set)
        self.context.on("request", self._on_request)
        self.context.on("response", self._on_response)
        self.context.on("console", self._on_console)
        self.context.on("weberror", lambda error: self.problems.append(str(error.error)))

    def opened(self) -> Page:
        """Open the console by the address with its token, in a tab of its own."""
        page = self.context.new_page()
        page.goto(self.console.address)
        page.wait_for_url(lambda url: "token" not in url)
        return page

    def go(self, page: Page, path: str) -> None:
        """Open one of the console's pages."""
        self._requested[page].clear()
        page.goto(self.console.origin + path, wait_until="load")

    def weight(self, page: Page) -> int:
        """Return the bytes of the page with its styles and scripts, as they were sent when they were sent."""
        return sum(self._weights.get(address, 0) for address in self._requested[page])

    def faults_of_page(self, page: Page) -> list[str]:
        """Return what is wrong with a page in each look: accessibility, width, weight."""
        found = []
        for width, scheme in LOOKS:
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            seen = page_tools.accessibility_errors(_Evaluator(page))
            if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                seen.append("scrolls sideways")
            found += [f"{page.url} {width} {scheme}: {one}" for one in seen]
        page.set_viewport_size({"width": 1280, "height": 800})
        if (weight := self.weight(page)) > LARGEST_PAGE:
            found.append(f"{page.url}: {weight} bytes")
        return found

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.console.origin}/", "data:", "blob:")):
            self.problems.append(f"asked for {request.url}")
        if (frame := request.frame) and request.resource_type != "image":
            self._requested[frame.page].add(request.url)

    def _on_response(self, response: Response) -> None:
        if response.status == 200 and response.request.resource_type != "image":
            self._weights[response.url] = int(response.headers.get("content-length", 0))

    def _on_console(self, message: ConsoleMessage) -> None:
        # The browser itself reports a page that says "not found" or "changed meanwhile", as it should.
        if message.type in ("error", "warning") and not re.search("status of 40[49]", message.text):
            self.problems.append(f"{message.page and message.page.url}: {message.text}")


class _Evaluator:
    """Evaluates by the DevTools protocol, which a page's policy on scripts does not concern."""

    def __init__(self, page: Page):
        self._session = page.context.new_cdp_session(page)

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, awaited when it is a promise."""
        options = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        found = self._session.send("Runtime.evaluate", options)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Debian's Chromium."""
    expect.set_options(timeout=SECONDS * 1000 * PATIENCE)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", *_CAMERA])
        yield started
        started.close()


def reach(page: Page, text: str, most: int = 80) -> None:
    """Press Tab until the focus is on the element whose name begins with a text; AssertionError if it never is."""
    names = (
        "(() => { const it = document.activeElement; return [it.getAttribute('aria-label'), it.labels?.[0]?.innerText,"
        "it.querySelector('img')?.alt, it.innerText].filter(Boolean).map((one) => one.trim()); })()"
    )
    seen = []
    for _ in range(most):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(names))
        if any(name.startswith(text) for name in seen[-1]):
            return
    raise AssertionError(f"Tab does not reach {text!r}, only {seen}")
