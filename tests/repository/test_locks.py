import re

import pytest

from tests.repository.project import ROOT
from tools.docker_image.locks import IMAGE_LOCKS, read

LOCKS = [*IMAGE_LOCKS.values(), "docker/requirements-dev.txt", "docker/requirements-audit.txt"]
FLOORS = {
    # Rules of the project: releases without a known hole.
    "pillow": ("12.3", "CVE-2026-25990, -42311, -40192, -42310, -59200, -59203, -59204, -54058, -59199, -59205"),
    "gunicorn": ("26", "CVE-2024-1135 and the request smuggling that followed"),
    "tensorflow": ("2.21", "CVE-2022-23584, -23585 and older ones in its decoders"),
    "tensorflow-cpu": ("2.21", "as tensorflow"),
    "keras": ("3.15", "CVE-2026-12481, -12484"),
    # What AWS asks of its own Deep Learning Containers for findings of severity HIGH.
    "aiohttp": ("3.14.3", "AWS Deep Learning Containers"),
    "cryptography": ("49", "AWS Deep Learning Containers"),
    "gitpython": ("3.1.59", "AWS Deep Learning Containers"),
    "starlette": ("1.3.1", "AWS Deep Learning Containers"),
    "tornado": ("6.5.6", "AWS Deep Learning Containers"),
    # The first release with the repair, by each advisory.
    "certifi": ("2024.7.4", "CVE-2024-39689"),
    "flask": ("3.1.1", "CVE-2025-47278"),
    "grpcio": ("1.56.2", "CVE-2023-33953, -4785"),
    "idna": ("3.7", "CVE-2024-3651"),
    "jinja2": ("3.1.6", "CVE-2025-27516"),
    "protobuf": ("6.31.1", "CVE-2025-4565"),
    "requests": ("2.32.4", "CVE-2024-47081"),
    "setuptools": ("78.1.1", "CVE-2025-47273"),
    "urllib3": ("2.7.0", "CVE-2025-50181, -50182, -66418, -66471, CVE-2026-21441, -44432"),
    "werkzeug": ("3.1.6", "CVE-2024-34069, -49766, CVE-2025-66221, CVE-2026-21860, GHSA-29vq-49wr-vm6x"),
    "wheel": ("0.46.2", "CVE-2026-24049"),
    "simplejpeg": ("1.9", "brings libjpeg-turbo 3.1.2; earlier releases bring older ones"),
    # What the code was written for.
    "tf-keras": ("2.21", "goes with TensorFlow 2.21"),
    "tensorflow-hub": ("0.16", "loads with tf_keras"),
}
"""The oldest release that may come into an image, and why; some are in no lock and stay so."""


def requirements(lock: str) -> list[str]:
    """Return the requirements of a lock, each with its hashes on one line."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def numbers(version: str) -> tuple[int, ...]:
    """Return a release's numbers; the locks hold no pre-releases."""
    return tuple(int(number) for number in re.findall(r"\d+", version))


def versions(lock: str) -> dict[str, tuple[int, ...]]:
    """Return the lowest pinned version of each package."""
    found: dict[str, tuple[int, ...]] = {}
    for pin in read(ROOT / lock):
        found[pin.name] = min(numbers(pin.version), found.get(pin.name, numbers(pin.version)))
    return found


def below_the_floors(pinned: dict[str, tuple[int, ...]]) -> list[str]:
    """Name the packages that are older than allowed, with the reason."""
    return [
        f"{name} {'.'.join(map(str, pinned[name]))} is below {floor}: {reason}"
        for name, (floor, reason) in FLOORS.items()
        if name in pinned and pinned[name] < numbers(floor)
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_and_hashed(lock: str) -> None:
    """Given a lock -> each line pins one version and carries at least one SHA-256."""
    loose = [
        line[:60] for line in requirements(lock) if not re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)
    ]
    assert loose == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_a_host_or_a_folder(lock: str) -> None:
    """Given a lock -> it does not name the package index of the machine that compiled it."""
    assert re.findall(r"\S*(?:://|--index|--find-links|/)\S*", (ROOT / lock).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("lock", IMAGE_LOCKS.values())
def test_pins_reach_their_floors(lock: str) -> None:
    """Given what an image installs -> no package is older than the advisories and the code allow."""
    pinned = versions(lock)
    assert below_the_floors(pinned) == []
    assert pinned.keys() >= {"pillow", "gunicorn", "flask", "werkzeug", "jinja2"}


def test_pin_below_its_floor_is_found() -> None:
    """Given one old package, one at its floor and one without a floor -> the old one is named with its advisory."""
    pinned = {"pillow": (12, 2, 9), "wheel": (0, 46, 2), "six": (1,)}
    [found] = below_the_floors(pinned)
    assert found.startswith("pillow 12.2.9 is below 12.3: CVE-2026-25990")


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_setuptools_still_has_what_tensorflow_hub_imports(target: str) -> None:
    """Given what trains -> setuptools is older than 81, which removed pkg_resources."""
    assert versions(IMAGE_LOCKS[target])["setuptools"] < (81,)


def test_serve_image_gets_what_serving_imports_alone() -> None:
    """Given the serve image's lock -> eight packages that serving imports, and Flask's dependencies."""
    pinned = versions(IMAGE_LOCKS["serve"])
    imported = {
        *("cykooz-resizer", "gunicorn", "numpy", "openvino", "orjson", "pillow", "prometheus-client", "simplejpeg"),
    }
    flask = {"flask", "blinker", "click", "itsdangerous", "jinja2", "markupsafe", "werkzeug"}
    assert pinned.keys() == imported | flask
    cpu = versions(IMAGE_LOCKS["cpu"])
    assert pinned == {name: cpu[name] for name in pinned}


@pytest.mark.parametrize(
    ("lock", "package"), [(IMAGE_LOCKS["gpu"], "tensorflow"), (IMAGE_LOCKS["cpu"], "tensorflow-cpu")]
)
def test_each_image_gets_one_tensorflow(lock: str, package: str) -> None:
    """Given an image's lock -> it holds exactly one of the TensorFlow packages, which share their files, at 2.21."""
    found = {name: version for name, version in versions(lock).items() if name in ("tensorflow", "tensorflow-cpu")}
    assert list(found) == [package]
    assert found[package][:2] == (2, 21)


def test_what_tensorflow_declares_but_never_imports_is_left_out() -> None:
    """Given the images' locks -> neither Keras 3 nor libclang nor TensorBoard is installed."""
    for lock in IMAGE_LOCKS.values():
        assert not {"keras", "libclang", "tensorboard", "optree"} & set(versions(lock))


def test_tests_run_on_what_the_image_installs() -> None:
    """Given a package in both the tools' lock and the cpu image's -> both pin the same version."""
    image, tools = versions("docker/requirements-cpu.txt"), versions("docker/requirements-dev.txt")
    assert {name: tools[name] for name in tools.keys() & image.keys()} == {
        name: image[name] for name in tools.keys() & image.keys()
    }


def test_cpu_and_gpu_differ_in_tensorflow_alone() -> None:
    """Given both images' locks -> apart from TensorFlow and NVIDIA's libraries they pin the same versions."""
    gpu = {
        name: v for name, v in versions(IMAGE_LOCKS["gpu"]).items() if not name.startswith(("tensorflow", "nvidia-"))
    }
    cpu = {name: v for name, v in versions(IMAGE_LOCKS["cpu"]).items() if not name.startswith("tensorflow")}
    assert gpu == cpu
