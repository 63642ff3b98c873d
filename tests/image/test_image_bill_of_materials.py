"""scripts/sbom on the images: nothing is in them that no lock names, and no licence that was not agreed to."""

import functools
import json
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.image.conftest import PROJECT, TARGETS, name_of_image
from tools.docker_image import licences
from tools.docker_image.locks import normalised, pins_of


def sbom(*words: str) -> str:
    """Return what the command prints."""
    command = [str(PROJECT / "scripts" / "sbom"), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


@functools.cache
def bill_of(target: str) -> str:
    """Return the bill of a target's image, made once."""
    return sbom(name_of_image(target))


def purls(bill: Mapping[str, Any], kind: str) -> set[str]:
    """Return the packages of a kind as `name@version`."""
    start = f"pkg:{kind}/"
    found = (each.get("purl", "") for each in bill["components"])
    return {purl.removeprefix(start) for purl in found if purl.startswith(start)}


@pytest.mark.parametrize("target", TARGETS)
def test_bill_of_materials_is_the_lock_and_debian(target: str) -> None:
    """Given an image -> valid CycloneDX; its Python packages are exactly the lock's, Debian's are beside them."""
    text = bill_of(target)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    locked = {f"{pin.name}@{pin.version}" for pin in pins_of(target)}
    found = purls(bill, "pypi")
    # NumPy is locked once for each of two ranges of Python.
    assert found <= locked
    assert {purl.split("@")[0] for purl in found} == {purl.split("@")[0] for purl in locked}
    debian = {purl.split("@")[0] for purl in purls(bill, "deb/debian")}
    assert {"python3", "libc6", "ca-certificates", "dpkg"} <= debian
    assert bill["metadata"]["component"]["type"] == "container"


@pytest.mark.parametrize("target", TARGETS)
def test_licences_in_the_image_are_those_of_the_page(target: str) -> None:
    """Given an image -> each package's licence is allowed and is the one that docs/reference/licences.md gives."""
    bill = json.loads(bill_of(target))
    stated = licences.locked_licences()
    python = [each for each in bill["components"] if each.get("purl", "").startswith("pkg:pypi/")]
    for each in python:
        name, expression = normalised(each["name"]), each["licenses"][0]["expression"]
        assert licences.is_allowed(name, expression), name
        assert expression == getattr(stated[name], "expression", None), name
    assert len(python) >= 10


@pytest.mark.every
def test_same_image_gives_the_same_bill() -> None:
    """Given the serve image twice -> the same text."""
    assert sbom(name_of_image("serve")) == bill_of("serve")


def test_licences_are_printed_as_a_table() -> None:
    """Given --licences -> a Markdown row for each Python package of the serve image."""
    rows = sbom(name_of_image("serve"), "--licences").splitlines()
    assert "| pillow | MIT-CMU | its metadata |" in rows
    assert len(rows) - 2 == len({pin.name for pin in pins_of("serve")})
