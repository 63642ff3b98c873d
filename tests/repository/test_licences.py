import pytest

from tools.docker_image import licences
from tools.docker_image.installed_packages import PythonPackage, python_packages
from tools.docker_image.licences import NVIDIA, Licence
from tools.docker_image.locks import normalised


def test_every_locked_package_has_an_allowed_licence() -> None:
    """Given everything that an image installs -> each licence is known and on the allow-list."""
    found = licences.locked_licences()
    assert [name for name, licence in found.items() if licence is None] == []
    rejected = {
        name: licence.expression
        for name, licence in found.items()
        if licence and not licences.is_allowed(name, licence.expression)
    }
    assert rejected == {}


def test_nothing_is_stated_without_need() -> None:
    """Given a licence that was determined by hand -> its package is locked, and its metadata are still ambiguous."""
    found = licences.locked_licences()
    here = {normalised(package.name): package for package in python_packages()}
    assert [name for name in licences.STATED if name not in found or here[name].expression] == []


@pytest.mark.parametrize(
    ("name", "expression", "expected"),
    [
        ("a", "MIT", True),
        ("a", "GPL-3.0-only", False),
        ("a", "MIT AND Zlib", True),
        ("a", "MIT AND GPL-3.0-only", False),
        ("a", "GPL-3.0-only OR MIT", True),
        ("a", "(MIT OR GPL-3.0-only) AND GPL-2.0-only", False),
        ("a", "GPL-3.0-only AND (GPL-2.0-only OR MIT)", False),
        ("a", "GPL-3.0-only WITH GCC-exception-3.1", False),
        ("a", "", False),
        ("a", NVIDIA, False),
        ("nvidia-cublas-cu12", NVIDIA, True),
    ],
)
def test_licences_outside_the_list_are_found(name: str, expression: str, expected: bool) -> None:
    """Given an expression -> allowed only when its terms can be met with licences of the allow-list."""
    assert licences.is_allowed(name, expression) is expected


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        (PythonPackage("p", "1", "MIT", "Apache 2.0", ()), Licence("MIT", "its metadata")),
        (PythonPackage("p", "1", "", "Apache 2.0", ()), Licence("Apache-2.0", "its metadata")),
        (PythonPackage("p", "1", "", "", ("MIT License",)), Licence("MIT", "its metadata")),
        (PythonPackage("p", "1", "", "BSD", ("BSD License",)), None),
        (PythonPackage("p", "1", "", "", ("MIT License", "GNU General Public License (GPL)")), None),
        (PythonPackage("Python.DateUtil", "1", "", "Dual License", ()), licences.STATED["python-dateutil"]),
    ],
)
def test_licence_is_read_where_it_leaves_no_doubt(package: PythonPackage, expected: Licence | None) -> None:
    """Given a package's metadata -> the SPDX expression, or nothing when they are ambiguous."""
    assert licences.licence_of(package) == expected


def test_page_says_which_images_have_a_package() -> None:
    """Given the generated page -> one row per package with the Docker images that install it."""
    rows = licences.page().splitlines()
    assert "| pillow | MIT-CMU | its metadata | serve, cpu, gpu |" in rows
    assert "| boto3 | Apache-2.0 | its metadata | cpu, gpu |" in rows
    assert f"| nvidia-nccl-cu12 | {NVIDIA} | its metadata in the gpu image | gpu |" in rows
