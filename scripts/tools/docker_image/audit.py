"""`scripts/audit`: look up the locked packages in a vulnerability database, with pip-audit in its own environment."""

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from image_classifier import PROGRAM
from image_classifier.contract.errors import ExplainedError, PlatformError, last_line, report_and_exit_code
from image_classifier.model_hub import packages

ROOT = PROGRAM.parent
LOCK = ROOT / "docker" / "requirements-audit.txt"
"""What the tool is installed from."""
SERVICES = ("pypi", "osv")
"""pip-audit's: the advisories of the Python Packaging Authority by the package index, and those of OSV."""
FOUND, NOT_ASKED = 1, 3
"""Exit codes; 0: every package was looked up and no vulnerability is known; 2: a wrong option."""
_SHOWN = 5


@dataclass(frozen=True)
class Vulnerability:
    """An advisory about a pinned package."""

    package: str
    version: str
    identifier: str
    fixed_in: tuple[str, ...]

    def __str__(self) -> str:
        fixed = f"fixed in {', '.join(self.fixed_in)}" if self.fixed_in else "no release with a fix is known"
        return f"{self.package} {self.version}: {self.identifier}, {fixed}"


@dataclass(frozen=True)
class Answer:
    """The result for one lock."""

    packages: int
    vulnerabilities: tuple[Vulnerability, ...]
    unknown: tuple[str, ...]
    """Packages that the database does not know."""


def locks(root: Path = ROOT) -> list[Path]:
    """Return every lock of the images, the tools and the tool of this command."""
    return [root / "requirements.txt", *sorted((root / "docker").glob("requirements-*.txt"))]


def install() -> Path:
    """Return the tool, installed once for each version of its lock.

    Raises:
        PlatformError: The package index cannot be reached.
    """
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    folder = packages.cache_folder() / "audit" / digest
    stamp = folder / "installed"
    if not stamp.is_file():
        uv, python = Path(sys.executable).with_name("uv"), folder / "bin" / "python"
        _run_uv([str(uv), "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)])
        hashed = ["--no-deps", "--require-hashes", "--requirement", str(LOCK)]
        _run_uv([str(uv), "pip", "install", "--quiet", "--python", str(python), *hashed])
        stamp.touch()
    return folder / "bin" / "pip-audit"


def _run_uv(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PlatformError(f"pip-audit cannot be installed: {last_line(done.stderr)}. A package index is needed once.")


def ask(tool: Path, lock: Path, service: str) -> Answer:
    """Look up every package of a lock that this version of Python would get.

    Raises:
        PlatformError: The database cannot be asked.
    """
    options = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json"]
    command = [str(tool), "--requirement", str(lock), "--vulnerability-service", service, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, LookupError, TypeError):
        raise PlatformError(f"the database {service} cannot be queried: {last_line(done.stderr)[:300]}") from None
    vulnerabilities = [
        Vulnerability(each["name"], each["version"], advisory["id"], tuple(advisory["fix_versions"]))
        for each in found
        for advisory in each.get("vulns", [])
    ]
    # pip-audit counts these as skipped and still reports no known vulnerability.
    unknown = tuple(each["name"] for each in found if "skip_reason" in each)
    return Answer(len(found), tuple(vulnerabilities), unknown)


def audit(tool: Path, paths: Sequence[Path], service: str) -> int:
    """Look up every lock, print the findings, and return the exit code.

    Raises:
        PlatformError: The database cannot be asked.
    """
    answers = {path: ask(tool, path, service) for path in paths}
    for path, answer in answers.items():
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        for vulnerability in answer.vulnerabilities:
            print(f"{name}: {vulnerability}")
        looked_up = f"{answer.packages - len(answer.unknown)} of {answer.packages} packages looked up"
        print(f"{name}: {looked_up}, {len(answer.vulnerabilities)} known vulnerabilities", flush=True)
    unknown = sorted({name for answer in answers.values() for name in answer.unknown})
    if unknown:
        shown = ", ".join(unknown[:_SHOWN]) + (" ..." if len(unknown) > _SHOWN else "")
        print(
            f"{len(unknown)} packages could not be looked up in {service} ({shown}), so their vulnerabilities are "
            "unknown. A mirror of the package index may lack advisories: run this where the database is reachable.",
            file=sys.stderr,
        )
    if any(answer.vulnerabilities for answer in answers.values()):
        return FOUND
    return NOT_ASKED if unknown else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scripts/audit`."""
    parser = argparse.ArgumentParser(
        prog="scripts/audit",
        description="Look up the packages of all locks in a database of known vulnerabilities. Needs a network.",
        epilog=f"Exit code 0: none is known; {FOUND}: some are; {NOT_ASKED}: the database could not be queried.\n\n"
        "examples:\n  scripts/audit\n  scripts/audit && scripts/build",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--service", choices=SERVICES, default=SERVICES[0], help="the database (default: %(default)s)")
    parser.add_argument("locks", nargs="*", type=Path, metavar="LOCK", help="default: all of the project")
    given = parser.parse_args(arguments)
    if missing := [str(path) for path in given.locks if not path.is_file()]:
        parser.error(f"{', '.join(missing)} does not exist; give lock files, or none for those of the project")
    try:
        return audit(install(), given.locks or locks(), given.service)
    except ExplainedError as error:
        report_and_exit_code(error)
        print("Nothing was looked up.", file=sys.stderr)
        return NOT_ASKED


if __name__ == "__main__":
    sys.exit(main())
