"""`scripts/sbom`: the content of a Docker image as a CycloneDX bill of materials or as a table of licences."""

import argparse
import json
import sys
import uuid
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from image_classifier import durable_files, own_files
from image_classifier.contract.errors import ExplainedError, PlatformError, UserError, report_and_exit_code
from tools.docker_image import installed_packages, locks
from tools.docker_image.docker_engine import DEFAULT_IMAGE, BuiltImage, docker, find_image
from tools.docker_image.installed_packages import Backbone, DebianPackage, Installed, PythonPackage
from tools.docker_image.licences import licence_of, table

NAME = "image-classifier"


def look_into(image: BuiltImage) -> Installed:
    """Return what is installed in an image, from a temporary container without a network.

    Raises:
        PlatformError: The container fails, as in an image without Python and dpkg.
    """
    program = Path(installed_packages.__file__).read_text(encoding="utf-8")
    options = ["--rm", "--interactive", "--network", "none", "--entrypoint", ""]
    try:
        return installed_packages.parse(docker(["run", *options, image.name, "python", "-"], program))
    except (ValueError, LookupError, TypeError) as error:
        raise PlatformError(f"{image.name} does not list what is installed in it: {error}.") from error


def bill_of_materials(image: BuiltImage, found: Installed) -> str:
    """Return CycloneDX 1.6 JSON: the image, its system, Debian's packages, Python's, and staged backbones.

    The same image always gives the same text: the serial number is derived from its id, the time is when it was made.
    A package whose version is in the target's lock is marked; if the lock has a single archive, with its SHA-256.
    """
    root = Component(
        name=NAME,
        bom_ref="image",
        type=ComponentType.CONTAINER,
        version=image.version or "unknown",
        description=image.title or None,
        licenses=[LicenseExpression("Apache-2.0")],
        properties=[
            Property(name="image-classifier:commit", value=image.commit or "unknown"),
            Property(name="image-classifier:target", value=image.target or "unknown"),
            Property(name="image-classifier:image-id", value=image.id),
        ],
    )
    pins = locks.pins_of(image.target) if image.target in locks.IMAGE_LOCKS else []
    python = [_python_component(package, pins) for package in found.python]
    debian = [_debian_component(package, found) for package in found.debian]
    system = Component(
        name=found.system, bom_ref="system", type=ComponentType.OPERATING_SYSTEM, version=found.system_version
    )
    bom = Bom(
        components=[system, *debian, *python, *map(_backbone_component, found.backbones)],
        serial_number=uuid.uuid5(uuid.NAMESPACE_OID, image.id),
    )
    bom.metadata.component = root
    bom.metadata.timestamp = _moment(image.created)
    bom.register_dependency(root, bom.components)
    return str(JsonV1Dot6(bom).output_as_string(indent=2) + "\n")


def _python_component(package: PythonPackage, pins: Sequence[locks.Pin]) -> Component:
    name = locks.normalised(package.name)
    purl = PackageURL("pypi", None, name, package.version)
    pin = next((pin for pin in pins if (pin.name, pin.version) == (name, package.version)), None)
    licence = licence_of(package)
    return Component(
        name=package.name,
        bom_ref=str(purl),
        type=ComponentType.LIBRARY,
        version=package.version,
        purl=purl,
        licenses=[LicenseExpression(licence.expression)] if licence else [],
        # With several archives in the lock, the installed one is unknown.
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=pin.hashes[0])] if pin and len(pin.hashes) == 1 else [],
        properties=[Property(name="image-classifier:locked", value="true" if pin else "false")] if pins else [],
    )


def _debian_component(package: DebianPackage, found: Installed) -> Component:
    qualifiers = {"arch": package.architecture, "distro": f"{found.system}-{found.system_version.split('.')[0]}"}
    if (package.source, package.source_version) != (package.name, package.version):
        # Debian's security advisories name source packages.
        qualifiers["upstream"] = f"{package.source}@{package.source_version}"
    purl = PackageURL("deb", found.system, package.name, package.version, qualifiers)
    return Component(
        name=package.name, bom_ref=str(purl), type=ComponentType.LIBRARY, version=package.version, purl=purl
    )


def _backbone_component(backbone: Backbone) -> Component:
    return Component(
        name=backbone.name,
        bom_ref=f"backbone:{backbone.name}",
        type=ComponentType.MACHINE_LEARNING_MODEL,
        description=backbone.source or None,
        licenses=[LicenseFactory().make_from_string(backbone.licence)] if backbone.licence else [],
        properties=[Property(name="image-classifier:saved-model-sha256", value=backbone.sha256)],
    )


def _moment(created: str) -> datetime:
    """Read Docker's time, which may have more digits than Python keeps."""
    return datetime.fromisoformat(created.split(".")[0].rstrip("Z") + "+00:00")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scripts/sbom`."""
    parser = argparse.ArgumentParser(
        prog="scripts/sbom",
        description="Write the bill of materials of a Docker image: CycloneDX 1.6 as JSON.",
        epilog="examples:\n  scripts/sbom image-classifier:gpu --output sbom.json\n"
        "  scripts/sbom image-classifier:serve --licences",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", nargs="?", default=DEFAULT_IMAGE, metavar="IMAGE", help="default: %(default)s")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write it (default: standard output)")
    parser.add_argument(
        "--licences", action="store_true", help="a Markdown table of the Python packages' licences instead"
    )
    given = parser.parse_args(arguments)
    try:
        if given.output is not None:
            what = "a table of licences" if given.licences else "a bill of materials"
            own_files.reject_foreign_file(given.output, "--output", what, _is_table if given.licences else _is_bill)
        image = find_image(given.image)
        found = look_into(image)
        if given.licences:
            text = table({locks.normalised(package.name): licence_of(package) for package in found.python})
        else:
            text = bill_of_materials(image, found)
        if given.output is None:
            print(text, end="")
        else:
            _write(given.output, text)
    except ExplainedError as error:
        return report_and_exit_code(error)
    return 0


def _is_bill(path: Path) -> bool:
    try:
        found = json.loads(path.read_bytes())
        return bool(found["bomFormat"] == "CycloneDX" and found["metadata"]["component"]["name"] == NAME)
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _is_table(path: Path) -> bool:
    first = table({}).encode()
    with path.open("rb") as file:
        return file.read(len(first)) == first


def _write(path: Path, text: str) -> None:
    try:
        durable_files.write_bytes(path, text.encode())
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror}. Give --output a file in a folder of yours."
        ) from error


if __name__ == "__main__":
    sys.exit(main())
