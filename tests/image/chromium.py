"""Headless Chromium, driven by the DevTools protocol through a pair of pipes.

Messages are JSON with a zero byte behind each. What there is: https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.waiting import wait_until

SECONDS = 20
"""That any one answer of the browser may take."""
_OPTIONS = (
    "--headless",
    "--remote-debugging-pipe",
    # Everything it loads is ours, and as root, or in a container, it has no sandbox.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-proxy-server",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
)
_KEYS = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    " ": ("Space", 32, " "),
    "ArrowRight": ("ArrowRight", 39, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
    "End": ("End", 35, ""),
    "Delete": ("Delete", 46, ""),
}
"""What a key is called, its number, what it writes."""
_LEAVES_PAGE = ("Inspected target navigated or closed", "Execution context was destroyed", "Cannot find context")
"""What Chromium answers for a page that it leaves meanwhile, or whose successor has no document yet."""


class ScriptError(AssertionError):
    """An expression threw an exception in the page."""


class Tab:
    """One page of a browser, and everything that the browser has told about it."""

    def __init__(self, commands: int, answers: int):
        self._commands, self._answers = commands, answers
        self._received = b""
        self._last = 0
        self._session: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []
        """Messages that answer no command, in their order."""

    def open(self, url: str) -> None:
        """Open the address in the one page there is and wait until it is loaded."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'")

    def call(self, method: str, **parameters: Any) -> Any:
        """Give a command and return its result; AssertionError when the browser rejects it or says nothing."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters, **self._session}
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + SECONDS
        while (found := self._next(end)).get("id") != self._last:
            self.events.append(found)
        assert "error" not in found, f"{method}: {found['error']}"
        return found["result"]

    def _next(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._answers], [], [], max(0, end - time.monotonic()))
            assert ready, f"the browser says nothing for {SECONDS} s"
            block = os.read(self._answers, 1 << 20)
            assert block, "the browser has ended"
            self._received += block
        message, _, self._received = self._received.partition(b"\0")
        return dict(json.loads(message))

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, awaited when it is a promise; ScriptError if it throws."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise ScriptError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until a JavaScript expression is true.

        In a page that is about to be left, or whose successor is still empty, what the expression asks for may be
        missing: an exception counts as "not yet", and is shown when the time is over.

        Raises:
            AssertionError: It stays false or throws to the end, or is not JavaScript.
        """
        thrown = ""

        def is_true() -> bool:
            nonlocal thrown
            try:
                found, thrown = bool(self.evaluate(expression)), ""
            except ScriptError as error:
                if "SyntaxError" in str(error):
                    raise
                found, thrown = False, f"; {error}"
            except AssertionError as error:
                if not any(told in str(error) for told in _LEAVES_PAGE):
                    raise
                found = False
            return found

        try:
            wait_until(is_true, SECONDS, expression)
        except ScriptError:
            raise
        except AssertionError as error:
            raise AssertionError(f"{error}{thrown}") from error

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        code, number, text = _KEYS[key]
        same = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **same)
        self.call("Input.dispatchKeyEvent", type="keyUp", **same)

    def choose_files(self, selector: str, *paths: Path) -> None:
        """Choose files in an input, as a user does in its dialog."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def drop(self, selector: str, *paths: Path) -> None:
        """Drag files or folders from the desktop to an element that is in sight, and let them go."""
        box = f"document.querySelector({selector!r}).getBoundingClientRect()"
        x, y = self.evaluate(f"(({{left, top, width, height}}) => [left + width / 2, top + height / 2])({box})")
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def disconnect(self, offline: bool) -> None:
        """Take the page's network away, or give it back."""
        unlimited = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.call("Network.emulateNetworkConditions", offline=offline, **unlimited)

    def look(self, width: int, scheme: str) -> None:
        """Show the page on a screen of that many pixels' width, of a system that is `light` or `dark`."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600
        )
        # Without motion, so that a change of colours is over at once.
        wanted = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wanted.items()]
        self.call("Emulation.setEmulatedMedia", features=features)

    def take_screenshot(self, path: Path) -> None:
        """Write the whole page as a PNG."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def told(self, method: str) -> list[Any]:
        """Return the parameters of all events of a kind so far."""
        self.evaluate("0")  # what was sent before its answer has arrived by then
        return [event["params"] for event in self.events if event.get("method") == method]

    def complaints(self) -> list[str]:
        """Return errors and warnings: uncaught ones, the console's, and the browser's own, such as a rejected load."""
        said = [
            call for call in self.told("Runtime.consoleAPICalled") if call["type"] in ("error", "warning", "assert")
        ]
        logged = [entry["entry"] for entry in self.told("Log.entryAdded")]
        wrong = [entry for entry in logged if entry["level"] in ("error", "warning")]
        return [json.dumps(found) for found in (*self.told("Runtime.exceptionThrown"), *said, *wrong)]

    def addresses(self) -> list[str]:
        """Return every address that the page has asked for."""
        return [str(request["request"]["url"]) for request in self.told("Network.requestWillBeSent")]


@contextmanager
def opened(url: str, folder: Path) -> Iterator[Tab]:
    """Start Debian's Chromium with its files in `folder`, and open an address; it is gone afterwards."""
    assert shutil.which("chromium"), "there is no chromium: install Debian's package of that name"
    command_reader, commands = os.pipe()
    answers, answer_writer = os.pipe()
    # The browser reads at 3 and writes at 4, where a test may have anything: bash moves them there from above.
    ours = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10) for descriptor in (command_reader, answer_writer)]
    moved = 'exec "$@" 3<&{0} 4>&{1} {0}<&- {1}>&-'.format(*ours)
    words = ["chromium", *_OPTIONS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", moved, "chromium", *words], pass_fds=ours, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    for descriptor in (command_reader, answer_writer, *ours):
        os.close(descriptor)
    try:
        tab = Tab(commands, answers)
        tab.open(url)
        yield tab
    finally:
        # It exits when the pipe that brings commands is closed.
        os.close(commands)
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(answers)
