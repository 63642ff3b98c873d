"""scripts/audit with a fake pip-audit: exit codes and messages for each of its answers."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from image_classifier.contract.errors import PlatformError
from tools.docker_image import audit

GOOD = {"name": "flask", "version": "3.1.3", "vulns": []}
BAD = {"name": "pillow", "version": "9.0.0", "vulns": [{"id": "PYSEC-2023-1", "fix_versions": ["9.1", "10"]}]}
UNKNOWN = {"name": "numpy", "skip_reason": "Dependency not found on PyPI and could not be audited: numpy (2.1)"}


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A lock; the program does not read it."""
    path = tmp_path / "lock.txt"
    path.touch()
    return path


def program(folder: Path, dependencies: list[Any] | None, errors: str = "") -> Path:
    """Return a program that answers as pip-audit does; without `dependencies` it fails with a traceback's end."""
    found = "" if dependencies is None else json.dumps({"dependencies": dependencies, "fixes": []})
    path = folder / "pip-audit"
    code = int(dependencies is None or any(each.get("vulns") for each in dependencies))
    path.write_text(
        f"#!{sys.executable}\nimport sys\nprint({found!r})\nprint({errors!r}, file=sys.stderr)\nsys.exit({code})\n"
    )
    path.chmod(0o755)
    return path


def test_nothing_known_is_success(lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given packages without advisories -> exit code 0, and the number that was looked up."""
    assert audit.audit(program(lock.parent, [GOOD, GOOD]), [lock], "pypi") == 0
    assert "2 of 2 packages looked up, 0 known vulnerabilities" in capsys.readouterr().out


def test_vulnerability_is_named_with_its_fix(lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a vulnerable package beside an unknown one -> exit code 1, with package, version, advisory and fix."""
    assert audit.audit(program(lock.parent, [GOOD, BAD, UNKNOWN]), [lock], "pypi") == 1
    assert "pillow 9.0.0: PYSEC-2023-1, fixed in 9.1, 10\n" in capsys.readouterr().out


def test_packages_that_the_database_does_not_know_are_no_success(
    lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given an index without advisories, which pip-audit counts as success -> exit code 3, and the packages' names."""
    assert audit.audit(program(lock.parent, [GOOD, UNKNOWN]), [lock], "pypi") == 3
    assert "1 packages could not be looked up in pypi (numpy)" in capsys.readouterr().err


def test_database_that_cannot_be_reached_is_said(
    lock: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given no answer from the database, or no pip-audit -> exit code 3, the reason, and that nothing was looked up."""
    monkeypatch.setattr(audit, "install", lambda: program(lock.parent, None, "ConnectionError: no name"))
    assert audit.main([str(lock)]) == 3
    said = capsys.readouterr().err
    assert "the database pypi cannot be queried: ConnectionError: no name" in said
    assert "Nothing was looked up." in said

    def no_index() -> Path:
        raise PlatformError("pip-audit cannot be installed: no index")

    monkeypatch.setattr(audit, "install", no_index)
    assert audit.main([str(lock)]) == 3


def test_every_lock_is_looked_up() -> None:
    """Given the project -> the locks of all three images, of the tools, and of pip-audit itself."""
    names = {str(path.relative_to(audit.ROOT)) for path in audit.locks()}
    expected = {f"docker/requirements-{name}.txt" for name in ("audit", "cpu", "dev", "serve")}
    assert names == {"requirements.txt", *expected}


def test_lock_that_does_not_exist_is_a_mistake_of_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a mistyped file -> exit code 2 and its name, before the database is asked."""
    with pytest.raises(SystemExit) as ended:
        audit.main([str(tmp_path / "absent.txt")])
    assert ended.value.code == 2
    assert f"{tmp_path}/absent.txt does not exist; give lock files" in capsys.readouterr().err
