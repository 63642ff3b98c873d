"""scripts/test-image skips the gpu build when nothing that it copies has changed: the list of that is complete."""

import re

from tests.repository.project import ROOT

OF_THE_CPU_IMAGE_TOO = {"container", "docker/hub"}
"""The program and staged backbones: tested in the cpu image, into which the same lines copy them."""
OTHER_TARGETS = {"serve-packages", "serve", "cpu-packages", "cpu"}


def copied_into_gpu() -> set[str]:
    """Return what the Dockerfile copies from this folder on the way to the gpu image."""
    found: set[str] = set()
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for stage in re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]:
        name = stage.splitlines()[0].rpartition(" AS ")[2]
        if name not in OTHER_TARGETS:
            copies = re.findall(r"^COPY (?!--from)(.+) \S+$", stage, re.MULTILINE)
            found.update(word for line in copies for word in line.split())
    return found


def listed() -> set[str]:
    """Return the list in scripts/test-image."""
    text = (ROOT / "scripts" / "test-image").read_text(encoding="utf-8")
    return set(text.partition("GPU_INPUTS=(")[2].partition(")")[0].split())


def test_every_input_of_the_gpu_image_is_listed() -> None:
    """Given the Dockerfile -> it and what it copies into the gpu image alone is the list in scripts/test-image."""
    assert listed() == (copied_into_gpu() | {"Dockerfile"}) - OF_THE_CPU_IMAGE_TOO


def test_inputs_are_files() -> None:
    """Given the list -> each name is a file, which `cat` reads."""
    assert all((ROOT / name).is_file() for name in listed())
    assert "requirements.txt" in listed()
