import http.cookiejar
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.platform import console_process
from tests.platform.serving import ROOT

MEGABYTE = 1_000_000


def test_console_starts_quickly_and_stays_small(tmp_path: Path) -> None:
    """Given an empty home -> the address is printed, the first page is there within seconds, in 150 MB."""
    began = time.monotonic()
    with console_process.running(tmp_path / "home", tmp_path) as console:
        console.open()
        assert console.get("/jobs").status == 200
        seconds = time.monotonic() - began
        memory = console.memory()
        assert console.stop() == 0
    print(f"first page after {seconds:.2f} s, {memory / MEGABYTE:.0f} MB")
    assert memory < 150 * MEGABYTE
    # On an idle machine 1 s; the tests share this one.
    assert seconds < 20


def test_only_the_address_with_the_token_admits(tmp_path: Path) -> None:
    """Given a running console -> 403 without its cookie, also on loopback; it listens on no other address."""
    with console_process.running(tmp_path / "home", tmp_path) as console:
        assert console.get("/jobs").status == 403
        console.open()
        assert console.get("/jobs").status == 200
        port = int(console.origin.rpartition(":")[2])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=5)


def test_second_start_names_the_first(tmp_path: Path) -> None:
    """Given a console that runs -> another one with the same home prints its address and ends."""
    with console_process.running(tmp_path / "home", tmp_path) as first:
        address = first.address
        with console_process.running(tmp_path / "home", tmp_path) as second:
            assert second.process.wait(console_process.SECONDS) == 0
            assert second.log.read_text() == f"The console runs already: {address}\n"
        assert first.process.poll() is None
    assert not (tmp_path / "home" / "address").exists()


def test_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    """Given another program on the port -> one line that names a free port, which works."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with console_process.running(tmp_path / "home", tmp_path, ["--port", str(port)]) as console:
            assert console.process.wait(console_process.SECONDS) == 1
            (line,) = console.log.read_text().splitlines()
        found = re.fullmatch(rf"UserError: Port {port} cannot be used: .* --port (\d+), which is free\.", line)
        assert found is not None, line
        with console_process.running(tmp_path / "home", tmp_path, ["--port", found[1]]) as console:
            console.open()


@pytest.mark.every
def test_open_tab_stays_usable_after_a_restart(tmp_path: Path) -> None:
    """Given a console that was killed -> after a restart on the same port the cookie of the open tab still counts."""
    with console_process.running(tmp_path / "home", tmp_path) as first:
        first.open()
        port = first.origin.rpartition(":")[2]
        cookies: http.cookiejar.CookieJar = first.cookies
        first.kill()
    with console_process.running(tmp_path / "home", tmp_path, ["--port", port]) as second:
        assert second.address != ""
        assert second.get("/jobs").status == 403
        for cookie in cookies:
            second.cookies.set_cookie(cookie)
        assert second.get("/jobs").status == 200


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--root", "/nowhere-at-all"], "--root takes folders that exist; /nowhere-at-all is not one."),
        (["--port", "70000"], "--port is 70000; allowed are 1 to 65535"),
        (["--host", "203.0.113.1"], "--host 203.0.113.1 is not an address of this machine"),
        (["--jobs", "0"], "--jobs is 0; allowed is 1 or more"),
        (["--home", "/proc/nothing"], "--home /proc/nothing cannot be used"),
    ],
)
def test_wrong_options_are_one_sentence(words: list[str], sentence: str, tmp_path: Path) -> None:
    """Given an option that cannot be right -> exit code 1 and one line that names it."""
    with console_process.running(tmp_path / "home", tmp_path, words) as console:
        assert console.process.wait(console_process.SECONDS) == 1
        (line,) = console.log.read_text().splitlines()
    assert sentence in line


def test_console_imports_nothing_heavy() -> None:
    """Given the application with all screens -> neither TensorFlow, SciPy, matplotlib nor boto3 is imported."""
    code = (
        "import sys\n"
        "from image_classifier.console import app, runners\n"
        "heavy = {'tensorflow', 'scipy', 'sklearn', 'matplotlib', 'boto3', 'openvino', 'pandas'}\n"
        "print(*sorted(heavy & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT / "container", capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
