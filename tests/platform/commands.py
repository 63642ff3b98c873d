"""The project's commands as they are typed."""

import subprocess
from pathlib import Path

from tests.platform.serving import ROOT

Finished = subprocess.CompletedProcess[str]


def run(script: str, *words: object, cwd: Path | None = None) -> Finished:
    """Run a command of the project and wait for its end."""
    command = [str(ROOT / "scripts" / script), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=cwd)
