import re

import pytest

from tests.repository.project import ROOT

LOCKS = ["requirements.txt", "docker/requirements-cpu.txt", "docker/requirements-dev.txt"]
IMAGE_LOCKS = LOCKS[:2]
FLOORS = {"pillow": (12, 3), "gunicorn": (26,), "tf-keras": (2, 21), "tensorflow-hub": (0, 16)}
"""The oldest release without a known hole, or the one that the code was written for."""


def requirements(lock: str) -> list[str]:
    """Return the requirements of a lock, each with its hashes on one line."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def versions(lock: str) -> dict[str, tuple[int, ...]]:
    """Return the lowest pinned version of each package."""
    found: dict[str, tuple[int, ...]] = {}
    for line in requirements(lock):
        name, _, rest = line.partition("==")
        version = tuple(int(number) for number in re.findall(r"\d+", rest.split()[0]))
        found[name] = min(version, found.get(name, version))
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_and_hashed(lock: str) -> None:
    """Given a lock -> each line pins one version and carries at least one SHA-256."""
    loose = [
        line[:60] for line in requirements(lock) if not re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)
    ]
    assert loose == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_a_host_or_a_folder(lock: str) -> None:
    """Given a lock -> it says nothing of where the packages came from on the machine that compiled it."""
    assert re.findall(r"\S*(?:://|--index|--find-links|/)\S*", (ROOT / lock).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("lock", IMAGE_LOCKS)
def test_pins_reach_their_floors(lock: str) -> None:
    """Given what an image installs -> no package is older than its floor, and setuptools still brings pkg_resources."""
    pinned = versions(lock)
    assert [name for name, floor in FLOORS.items() if pinned[name] < floor] == []
    assert pinned["setuptools"] < (81,)


@pytest.mark.parametrize(("lock", "package"), [(LOCKS[0], "tensorflow"), (LOCKS[1], "tensorflow-cpu")])
def test_each_image_gets_one_tensorflow(lock: str, package: str) -> None:
    """Given an image's lock -> it holds exactly one of the TensorFlow packages, which share their files, at 2.21."""
    found = {name: version for name, version in versions(lock).items() if name in ("tensorflow", "tensorflow-cpu")}
    assert list(found) == [package]
    assert found[package][:2] == (2, 21)


def test_what_tensorflow_declares_but_never_imports_is_left_out() -> None:
    """Given the images' locks -> neither Keras 3 nor libclang nor TensorBoard is installed."""
    for lock in IMAGE_LOCKS:
        assert not {"keras", "libclang", "tensorboard", "rich"} & set(versions(lock))


def test_tests_run_on_what_the_image_installs() -> None:
    """Given a package in both the tools' lock and the cpu image's -> both pin the same version."""
    image, tools = versions("docker/requirements-cpu.txt"), versions("docker/requirements-dev.txt")
    assert {name: tools[name] for name in tools.keys() & image.keys()} == {
        name: image[name] for name in tools.keys() & image.keys()
    }


def test_both_images_differ_in_tensorflow_alone() -> None:
    """Given both images' locks -> apart from TensorFlow and NVIDIA's libraries they pin the same versions."""
    gpu = {name: v for name, v in versions(LOCKS[0]).items() if not name.startswith(("tensorflow", "nvidia-"))}
    cpu = {name: v for name, v in versions(LOCKS[1]).items() if not name.startswith("tensorflow")}
    assert gpu == cpu
