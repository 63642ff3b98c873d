"""The console as a user starts it: a process of its own, its address, a browser-like session; jobs by other threads."""

import http.cookiejar
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from image_classifier.runners import experiment
from image_classifier.runners.experiment import Experiment
from tests.platform.serving import ROOT
from tests.support.waiting import PATIENCE, free_port, wait_until

SECONDS = 30
_READY = re.compile(r"The console is ready: (\S+)")


@dataclass(frozen=True)
class Page:
    """What a browser got."""

    status: int
    text: str


class Process:
    """A running console, and a session with it."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path, home: Path):
        self.process, self.log, self.home = process, log, home
        self.cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies), _NoRedirect())

    @property
    def address(self) -> str:
        """The address with the token, once it was printed."""
        wait_until(self._is_ready_or_over, SECONDS, f"the console is ready: {self.log}")
        found = _READY.search(self.log.read_text())
        assert found is not None, self.log.read_text()
        return found[1]

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self.address.partition("/?")[0]

    def _is_ready_or_over(self) -> bool:
        return self.process.poll() is not None or _READY.search(self.log.read_text()) is not None

    def open(self) -> None:
        """Open the address with the token, as the first step of a user."""
        assert self.request(self.address).status == 200

    def get(self, path: str) -> Page:
        """Get a page."""
        return self.request(self.origin + path)

    def post(self, path: str, **fields: str) -> Page:
        """Send a form of a page."""
        return self.request(self.origin + path, urllib.parse.urlencode(fields).encode())

    def request(self, url: str, body: bytes | None = None) -> Page:
        """Return an answer of any status; redirects are not followed."""
        headers = {"Origin": url.partition("/?")[0] if body is None else self.origin}
        try:
            with self._opener.open(urllib.request.Request(url, body, headers), timeout=SECONDS) as answer:
                return Page(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Page(error.code, error.read().decode())

    def pids(self) -> list[int]:
        """Return the process and that which answers requests, its child."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def memory(self) -> int:
        """Return the bytes that belong to it alone, and its part of what it shares (proportional set size)."""
        rollups = (Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self.pids())
        return 1024 * sum(int(size) for text in rollups for size in re.findall(r"^Pss:\s+(\d+) kB", text, re.MULTILINE))

    def kill(self) -> None:
        """Kill it with all that belongs to it, without a goodbye."""
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """End it as Ctrl-C does; return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(SECONDS)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


@contextmanager
def running(
    home: Path, root: Path, words: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """Start a console on a free port; it is ended afterwards if it still runs."""
    module = "image_classifier.cli.console"
    command = [sys.executable, "-m", module, "--home", str(home), "--root", str(root), "--no-open"]
    port = () if "--port" in words else ("--port", str(free_port()))
    log = home.with_name(f"{home.name}-{os.urandom(4).hex()}.log")
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "container"), **(environment or {})}
    with log.open("wb") as output:
        process = subprocess.Popen([*command, *port, *words], env=variables, stdout=output, stderr=output)
    try:
        yield Process(process, log, home)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(SECONDS * PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def ask_for(home: Path, asked: Experiment) -> None:
    """Put a job into the queue of a console that does not run, in the form in which one leaves it on the disk."""
    (home / "queue").mkdir(parents=True, exist_ok=True)
    experiment.write(home / "queue" / f"{asked.name}.toml", asked)
