"""A program called docker that writes down what it is asked and answers as the engine would."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

DIGEST = "sha256:" + "5" * 64
COMMIT = "0123456789abcdef0123456789abcdef01234567"
LABELS = {
    "org.opencontainers.image.title": "A title",
    "org.opencontainers.image.version": "1.2.3",
    "org.opencontainers.image.revision": COMMIT,
    "image-classifier.target": "gpu",
}
_PROGRAM = """#!/bin/sh
here=$(dirname "$0")
printf '%s\\n' "$*" >>"$here/commands"
case "$1 $2" in
"image inspect")
    [ -e "$here/image.json" ] || { echo "Error response from daemon: No such image: $3"; exit 1; } >&2
    [ "$3" = --format ] && echo 123456789 || cat "$here/image.json"
    ;;
"context inspect") echo unix:///the/context.sock ;;
"login "*)
    cat >"$here/password"
    cp "$DOCKER_CONFIG/config.json" "$here/configuration.json"
    printf '%s\\n' "$DOCKER_CONFIG" "$DOCKER_HOST" >"$here/environment"
    ;;
"push "*)
    [ ! -e "$here/denied" ] || { cat "$here/denied"; exit 1; }
    echo "5f70bf18a086: Pushed"
    echo "tag: digest: DIGEST size: 1"
    ;;
"run "*)
    cat >"$here/program"
    cat "$here/installed.json"
    ;;
esac
"""


@dataclass(frozen=True)
class RecordingDocker:
    """Where the program lies and keeps its records."""

    folder: Path

    def has_image(self, labels: Mapping[str, str] = LABELS, architecture: str = "amd64", manifest: str = "") -> None:
        """Answer for any name with an image that has these labels."""
        image: dict[str, object] = {
            "Id": "sha256:" + "1" * 64,
            "Created": "2026-01-02T03:04:05.123456789Z",
            "Architecture": architecture,
            "Config": {"Labels": labels},
        }
        if manifest:
            image["Descriptor"] = {"mediaType": manifest}
        self.write("image.json", json.dumps([image]))

    def write(self, name: str, text: str) -> None:
        """Write a file that the program reads: `installed.json` for run, `denied` to make push fail with its text."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def read(self, name: str) -> str:
        """Return a file that the program wrote: password, configuration.json, environment, program."""
        return (self.folder / name).read_text(encoding="utf-8")

    def commands(self, first: str = "") -> list[str]:
        """Return every command line so far that begins with a word."""
        path = self.folder / "commands"
        return [line for line in path.read_text().splitlines() if line.startswith(first)] if path.exists() else []


def put_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> RecordingDocker:
    """Make the program in a folder and let it be found first."""
    folder.mkdir()
    program = folder / "docker"
    program.write_text(_PROGRAM.replace("DIGEST", DIGEST), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return RecordingDocker(folder)
