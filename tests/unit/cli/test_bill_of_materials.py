"""scripts/sbom with synthetic images; tests/image has real ones."""

import json
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from image_classifier.artifacts import ModelInfo, write_model_info
from tests.support.recording_docker import COMMIT, put_on_path
from tools.docker_image import bill_of_materials, installed_packages
from tools.docker_image.docker_engine import BuiltImage
from tools.docker_image.installed_packages import Backbone, DebianPackage, Installed, PythonPackage
from tools.docker_image.locks import pins_of

HUB = next(pin for pin in pins_of("cpu") if pin.name == "tensorflow-hub")
IMAGE = BuiltImage("name", "sha256:" + "1" * 64, "2026-01-02T03:04:05.123456789Z", "A title", "1.2.3", COMMIT, "cpu")
FOUND = Installed(
    "debian",
    "13.8",
    (
        PythonPackage("Flask", "0.1", "BSD-3-Clause", "", ()),
        PythonPackage("mystery", "1", "", "See LICENSE", ()),
        PythonPackage("tensorflow_hub", HUB.version, "", "Apache 2.0", ()),
    ),
    (
        DebianPackage("bsdutils", "1:2.41-5+b1", "amd64", "util-linux", "2.41-5"),
        DebianPackage("tar", "1.35", "amd64", "tar", "1.35"),
    ),
    (Backbone("lite0", "Python package p 1", "Apache-2.0", "2" * 64), Backbone("own", "", "", "")),
)


def listed(image: BuiltImage = IMAGE, found: Installed = FOUND) -> dict[str, Any]:
    """Return the parsed bill of materials."""
    return dict(json.loads(bill_of_materials.bill_of_materials(image, found)))


def component(name: str) -> dict[str, Any]:
    """Return one component."""
    return next(each for each in listed()["components"] if each["name"] == name)


def test_it_is_cyclonedx() -> None:
    """Given an image -> its bill of materials is valid by the strict schema of CycloneDX 1.6."""
    text = bill_of_materials.bill_of_materials(IMAGE, FOUND)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.replace('"library"', '"book"')) is not None


def test_root_is_the_image() -> None:
    """Given the image's labels -> the root component has version and commit, and depends on everything."""
    found = listed()
    root = found["metadata"]["component"]
    assert (root["type"], root["version"], root["description"]) == ("container", "1.2.3", "A title")
    assert {"name": "image-classifier:commit", "value": COMMIT} in root["properties"]
    [dependencies] = [each["dependsOn"] for each in found["dependencies"] if each["ref"] == "image"]
    assert sorted(dependencies) == sorted(each["bom-ref"] for each in found["components"])


def test_same_image_gives_the_same_text() -> None:
    """Given one image twice and another -> the same text twice, the image's own time, and another serial number."""
    assert listed() == listed()
    assert listed()["metadata"]["timestamp"] == "2026-01-02T03:04:05+00:00"
    assert listed(replace(IMAGE, id="sha256:2"))["serialNumber"] != listed()["serialNumber"]


def test_python_packages_say_what_the_lock_knows() -> None:
    """Given versions inside and outside the lock -> distinguished; a hash only where the lock has a single archive."""
    hub, flask = component("tensorflow_hub"), component("Flask")
    assert hub["purl"] == f"pkg:pypi/tensorflow-hub@{HUB.version}"
    assert hub["hashes"] == [{"alg": "SHA-256", "content": HUB.hashes[0]}]
    assert hub["licenses"] == [{"expression": "Apache-2.0"}]
    assert hub["properties"][0]["value"] == "true"
    assert flask["properties"][0]["value"] == "false"
    assert "hashes" not in flask


def test_unknown_licence_is_left_open() -> None:
    """Given a package that only points to a file -> no licence is claimed."""
    assert "licenses" not in component("mystery")


def test_debian_packages_name_their_source() -> None:
    """Given a package from another source package -> its purl has the distribution and that source."""
    assert component("tar")["purl"] == "pkg:deb/debian/tar@1.35?arch=amd64&distro=debian-13"
    expected = "pkg:deb/debian/bsdutils@1:2.41-5%2Bb1?arch=amd64&distro=debian-13&upstream=util-linux%402.41-5"
    assert component("bsdutils")["purl"] == expected
    assert component("debian")["version"] == "13.8"


def test_staged_backbones_are_models() -> None:
    """Given backbones in the image -> each is a component with its source, its licence and its checksum if known."""
    lite0, own = component("lite0"), component("own")
    assert (lite0["type"], lite0["description"]) == ("machine-learning-model", "Python package p 1")
    assert lite0["licenses"][0]["license"]["id"] == "Apache-2.0"
    assert lite0["properties"] == [{"name": "image-classifier:saved-model-sha256", "value": "2" * 64}]
    assert "licenses" not in own


def test_backbones_are_found_by_their_model_info(tmp_path: Path) -> None:
    """Given a folder of backbones and other files -> each backbone with the facts of its model info."""
    for name, licence in (("b", None), ("a", "MIT")):
        (tmp_path / name).mkdir()
        write_model_info(tmp_path / name, ModelInfo(licence=licence, source="somewhere", sha256="3"))
    (tmp_path / "README.md").write_text("")
    expected = (Backbone("a", "somewhere", "MIT", "3"), Backbone("b", "somewhere", "", "3"))
    assert installed_packages.backbones(tmp_path) == expected


def test_image_without_labels() -> None:
    """Given an image that was built by docker alone -> a valid list in which unknown values are called unknown."""
    bare = replace(IMAGE, title="", version="", commit="", target="")
    assert (
        JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill_of_materials.bill_of_materials(bare, FOUND)) is None
    )
    assert listed(bare)["metadata"]["component"]["version"] == "unknown"


def test_packages_of_this_interpreter() -> None:
    """Given this environment -> Pillow is listed once, with the version and licence of its metadata."""
    [pillow] = [each for each in installed_packages.python_packages() if each.name.lower() == "pillow"]
    assert (pillow.version, pillow.expression) == (metadata.version("pillow"), "MIT-CMU")


def test_command_asks_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given an image -> a container without a network runs the listing program, and the file has its output."""
    docker = put_on_path(tmp_path / "bin", monkeypatch)
    docker.has_image()
    docker.write("installed.json", json.dumps(asdict(FOUND)))
    output = tmp_path / "sbom.json"
    assert bill_of_materials.main(["some:image", "--output", str(output)]) == 0
    assert docker.commands("run") == ["run --rm --interactive --network none --entrypoint  some:image python -"]
    assert docker.read("program") == Path(installed_packages.__file__).read_text(encoding="utf-8")
    assert {each["name"] for each in json.loads(output.read_text())["components"]} > {"Flask", "tar", "mystery"}
    assert capsys.readouterr().out == ""


def test_command_prints_licences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given --licences -> a row for each Python package, and `unknown` without one."""
    docker = put_on_path(tmp_path / "bin", monkeypatch)
    docker.has_image()
    docker.write("installed.json", json.dumps(asdict(FOUND)))
    assert bill_of_materials.main(["some:image", "--licences"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[2:] == [
        "| flask | BSD-3-Clause | its metadata |",
        "| mystery | unknown |  |",
        "| tensorflow-hub | Apache-2.0 | its metadata |",
    ]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", "PlatformError: some:image does not list what is installed in it"),
        ('{"system": "debian"}', "PlatformError: some:image does not list what is installed in it"),
    ],
)
def test_image_of_another_kind(
    said: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given an image with another output -> one sentence."""
    docker = put_on_path(tmp_path / "bin", monkeypatch)
    docker.has_image()
    docker.write("installed.json", said)
    assert bill_of_materials.main(["some:image"]) == 1
    assert capsys.readouterr().err.startswith(expected)


def test_output_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given --output in a missing folder -> one sentence that names it."""
    docker = put_on_path(tmp_path / "bin", monkeypatch)
    docker.has_image()
    docker.write("installed.json", json.dumps(asdict(FOUND)))
    assert bill_of_materials.main(["some:image", "--output", str(tmp_path / "none" / "file")]) == 1
    assert "none/file cannot be written: No such file or directory." in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--licences"]], ids=["bill", "licences"])
def test_only_an_earlier_list_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    """Given another file, a link or a folder as --output -> exit code 1, unchanged; an earlier list -> replaced."""
    docker = put_on_path(tmp_path / "bin", monkeypatch)
    docker.has_image()
    docker.write("installed.json", json.dumps(asdict(FOUND)))
    ours, mine, link = tmp_path / "list", tmp_path / "mine", tmp_path / "link"
    link.symlink_to(ours)
    assert [bill_of_materials.main(["some:image", *options, "--output", str(ours)]) for _ in range(2)] == [0, 0]
    before = ours.read_bytes()
    for text in ("mine", "{}", '{"bomFormat": "CycloneDX", "metadata": {"component": {"name": "mine"}}}', "| mine |"):
        mine.write_text(text)
        assert bill_of_materials.main(["some:image", *options, "--output", str(mine)]) == 1
        assert "written by this program, so it is not replaced" in capsys.readouterr().err
        assert mine.read_text() == text
    for path, message in {link: "is a link", tmp_path: "is a folder"}.items():
        assert bill_of_materials.main(["some:image", *options, "--output", str(path)]) == 1
        assert message in capsys.readouterr().err
    assert ours.read_bytes() == before
