import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.image.conftest import PROJECT, name_of_image
from tests.image.containers import docker

PROGRAM_LAYERS = 2
"""The program's files, and their bytecode."""


def layers(image: str) -> list[str]:
    """Return the digests of an image's layers, the lowest first."""
    return list(json.loads(docker("image", "inspect", "--format", "{{json .RootFS.Layers}}", image)))


@pytest.mark.every
@pytest.mark.parametrize("target", ["serve", "cpu"])
def test_change_in_the_program_rebuilds_the_last_layers_only(target: str, tmp_path: Path) -> None:
    """Given one more line in container/ -> every layer but the program's own is the one that was there."""
    for name in ("Dockerfile", ".dockerignore", "requirements.txt", "docker", "container", "scripts", ".git"):
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copyfile
        copy(PROJECT / name, tmp_path / name)
    changed = tmp_path / "container" / "image_classifier" / "imaging" / "decoding.py"
    changed.write_text(changed.read_text(encoding="utf-8") + "\nCHANGED = True\n", encoding="utf-8")
    tag = f"image-classifier-test-changed:{target}"
    before, again = name_of_image(target), [str(tmp_path / "scripts" / "build"), "--target", target, "--tag", tag]
    base = os.environ["IMAGE_CLASSIFIER_BASE_IMAGE"]
    subprocess.run([*again, "--base", base, "--", "--network", "host"], check=True, capture_output=True)
    try:
        kept = layers(before)[:-PROGRAM_LAYERS]
        assert layers(tag)[:-PROGRAM_LAYERS] == kept
        assert layers(tag) != layers(before)
        assert len(kept) >= 3
        history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", tag).splitlines()
        place = next(index for index, line in enumerate(history) if "COPY" in line and "/opt/program" in line)
        assert all("/opt/venv" not in line for line in history[:place])
    finally:
        docker("image", "rm", "--force", tag)
