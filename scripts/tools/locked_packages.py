"""Install the packages of locks into the environment of this interpreter: used by scripts/setup, before any is there.

uv installs them in a tenth of the CPU time that pip needs (docs/decisions/0028-test-suite-time.md). It does not read
pip's settings, so what reaches an index there is passed on. Where uv fails, pip installs, and a line says so.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from tools.docker_image import pip_settings

PIP = (sys.executable, "-m", "pip", "install", "--quiet", "--quiet", "--disable-pip-version-check", "--no-compile")
LOCKED = ("--no-deps", "--require-hashes")
_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "timeout": "UV_HTTP_TIMEOUT",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
"""Settings of pip, and the variables that say the same to uv."""
_LISTS = {"UV_FIND_LINKS": ","}
"""Variables that separate their values by another character than pip's space."""


def variables(settings: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of uv: pip's settings in its words, where the user has not given uv's own."""
    # All versions have hashes, so that of several indexes none can bring in anything else.
    found = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    for setting, variable in _VARIABLES.items():
        if words := settings.get(setting, "").split():
            found[variable] = _LISTS.get(variable, " ").join(words)
    return {**found, **environment}


def only(name: str, lock: str) -> str:
    """Return the lines of one package in a lock: its pin and its hashes.

    Raises:
        ValueError: The lock does not list it.
    """
    lines = iter(lock.splitlines())
    for line in lines:
        if line.startswith(f"{name}=="):
            hashes = [line]
            while hashes[-1].endswith("\\"):
                hashes.append(next(lines))
            return "\n".join(hashes) + "\n"
    raise ValueError(f"no {name} in the lock")


def install(locks: Iterable[Path]) -> int:
    """Install everything that the locks list; return the exit code of the last installer.

    Raises:
        ValueError: No lock lists uv.
    """
    texts = {lock: lock.read_text(encoding="utf-8") for lock in locks}
    requirements = [f"--requirement={lock}" for lock in texts]
    with tempfile.TemporaryDirectory() as scratch:
        bootstrap = Path(scratch) / "uv.txt"
        bootstrap.write_text(only("uv", "".join(texts.values())), encoding="utf-8")
        if code := subprocess.run([*PIP, *LOCKED, f"--requirement={bootstrap}"], check=False).returncode:
            return code
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "pip", "install", "--quiet", "--python", sys.executable, *LOCKED, *requirements]
    done = subprocess.run(command, check=False, env=variables(pip_settings.settings(), os.environ))
    if done.returncode == 0:
        return 0
    print("uv could not install them, as its message says; pip tries, which takes longer.", file=sys.stderr, flush=True)
    return subprocess.run([*PIP, *LOCKED, *requirements], check=False).returncode


if __name__ == "__main__":
    sys.exit(install(map(Path, sys.argv[1:])))
