"""Run the images as the platform does and look at them from outside."""

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.waiting import wait_until

PAUSE = 0.2
"""Seconds between two questions to Docker, each of which starts a process."""
ISOLATED = ("--network", "none")
LOCKED_DOWN = (*ISOLATED, "--read-only", "--tmpfs", "/tmp", "--user", "41234:41234", "--ipc", "none")
"""No network, a root file system that is read-only apart from /tmp, a user without a passwd entry, no /dev/shm."""
_JOB_FILE = "finished-job.json"


def docker(*arguments: str | Path, check: bool = True) -> str:
    """Return what a docker command prints on both streams, mixed in time; with `check` it must succeed."""
    command = ["docker", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-4000:]}")
    return done.stdout.strip()


def run(image: str, *words: str, options: tuple[str, ...] = ISOLATED) -> str:
    """Return what a command inside an image prints."""
    return docker("run", "--rm", *options, image, *words)


@dataclass(frozen=True)
class Answer:
    """What came back for an HTTP request; status 0 when nothing did."""

    status: int
    content_type: str
    body: bytes


def ask(url: str, body: bytes | None = None, content_type: str = "application/x-image", accept: str = "*/*") -> Answer:
    """Send a request; a POST when there is a body."""
    headers = {"Content-Type": content_type, "Accept": accept}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as found:
            return Answer(found.status, found.headers.get_content_type(), found.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.headers.get_content_type(), error.read())
    except OSError as error:
        return Answer(0, "", str(error).encode())


# Runs inside the container, where no network is needed to reach the server. A line in is a body in hex; a line out is
# status, type and body.
_ASK = """
import sys, urllib.error, urllib.request
path, content_type, accept, method = sys.argv[1:]
headers = {"Content-Type": content_type, "Accept": accept}
for line in sys.stdin:
    body = bytes.fromhex(line) or None
    asked = urllib.request.Request("http://127.0.0.1:8080" + path, body, headers, method=method or None)
    try:
        answer = urllib.request.urlopen(asked, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    kind = answer.headers.get_content_type() if answer.headers.get("Content-Type") else "-"
    print(answer.status, kind, answer.read().hex())
"""


@dataclass(frozen=True)
class Container:
    """A container that was started and is removed by the fixture which made it."""

    name: str

    def running(self) -> bool:
        """Say whether its first process lives."""
        return docker("inspect", "--format", "{{.State.Running}}", self.name) == "true"

    def exit_code(self, seconds: float = 300) -> int:
        """Wait for its end."""
        wait_until(lambda: not self.running(), seconds, f"{self.name} ended; its log: {self.log()[-4000:]}", PAUSE)
        return int(docker("inspect", "--format", "{{.State.ExitCode}}", self.name))

    def log(self) -> str:
        """Return everything it has printed so far."""
        return docker("logs", self.name)

    def first_process(self) -> list[str]:
        """Return the command line of process 1."""
        return docker("exec", self.name, "cat", "/proc/1/cmdline").strip("\0").split("\0")

    def changed_files(self) -> list[str]:
        """Return what was added, changed or deleted in its own file system, without volumes and tmpfs."""
        return [line[2:] for line in docker("diff", self.name).splitlines()]

    def ask(
        self,
        path: str,
        body: bytes = b"",
        content_type: str = "application/x-image",
        accept: str = "*/*",
        method: str = "",
    ) -> Answer:
        """Send a request from inside the container; without a method a POST when there is a body, else a GET."""
        return self.ask_each(path, [body], content_type, accept, method)[0]

    def ask_each(
        self,
        path: str,
        bodies: Sequence[bytes],
        content_type: str = "application/x-image",
        accept: str = "*/*",
        method: str = "",
    ) -> list[Answer]:
        """Send a request a body, one after the other, by one process inside the container; see `ask`."""
        words = (path, content_type, accept, method)
        command = ["docker", "exec", "--interactive", self.name, "python", "-c", _ASK, *words]
        sent = "".join(f"{body.hex()}\n" for body in bodies)
        done = subprocess.run(command, input=sent, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return [Answer(0, "", done.stderr.encode())] * len(bodies)
        lines = (line.split(" ") for line in done.stdout.splitlines())
        return [Answer(int(status), kind, bytes.fromhex(content)) for status, kind, content in lines]

    def wait_for_ping(self, address: str | None = None, seconds: float = 90) -> None:
        """Wait until `/ping` says 200, at an address or inside; fail at once when the server has ended."""

        def answers() -> bool:
            assert self.running(), f"the server ended: {self.log()[-4000:]}"
            return (ask(f"{address}/ping") if address else self.ask("/ping")).status == 200

        wait_until(answers, seconds, f"/ping says 200; the log: {self.log()[-4000:]}", PAUSE)

    def published(self) -> str:
        """Return the address at which port 8080 is published on this machine."""
        bindings = json.loads(
            docker("inspect", "--format", '{{json (index .NetworkSettings.Ports "8080/tcp")}}', self.name)
        )
        return f"http://127.0.0.1:{bindings[0]['HostPort']}"


Start = Callable[..., Container]
"""Called with the words after the image name, `options=(...)`, docker's, and `image=` (without it the cpu image)."""


@dataclass(frozen=True)
class Job:
    """A finished training job: the platform's tree and what was printed."""

    opt_ml: Path
    exit_code: int
    log: str

    @classmethod
    def read(cls, opt_ml: Path) -> "Job":
        """Return the job that `write` has kept beside the platform's folders."""
        return cls(opt_ml, **json.loads((opt_ml / _JOB_FILE).read_text(encoding="utf-8")))

    def write(self) -> None:
        """Keep exit code and log beside the platform's folders, for other processes."""
        kept = {"exit_code": self.exit_code, "log": self.log}
        (self.opt_ml / _JOB_FILE).write_text(json.dumps(kept), encoding="utf-8")

    def model_mounted(self) -> tuple[str, str]:
        """Return the docker options that mount the model where an endpoint finds it."""
        return ("--volume", f"{self.opt_ml / 'model'}:/opt/ml/model:ro")
