"""The flowers, on which the built-in algorithm trains by default: from TensorFlow's server or JumpStart's bucket."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from image_classifier import archives
from image_classifier.cloud.s3 import S3Storage
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.imaging import EXTENSIONS
from image_classifier.model_hub import download_s3, jumpstart, packages

COUNTS: Mapping[str, int] = MappingProxyType(
    {"daisy": 633, "dandelion": 898, "roses": 641, "sunflowers": 699, "tulips": 799}
)
"""Class name to images: 3,670 in all (https://www.tensorflow.org/datasets/catalog/tf_flowers)."""
LICENCE = "CC-BY by TensorFlow's catalogue, Apache-2.0 by AWS's announcement: two sources that disagree."


@dataclass(frozen=True)
class Archive:
    """One archive with the folder `flower_photos`, with its expected checksum and counts."""

    address: str
    sha256: str | None
    counts: Mapping[str, int]


TENSORFLOW = Archive(
    "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
    # tensorflow/datasets, tensorflow_datasets/url_checksums/tf_flowers.txt
    "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
    COUNTS,
)


def write_from_server(folder: Path, archive: Archive = TENSORFLOW) -> None:
    """Download the archive and lay out its class folders; a download that was cut off is continued.

    Raises:
        PlatformError: The server does not answer, or sends another file.
        UserError: The server rejects the request, or its archive has other classes or counts.
    """
    # Here: the console lists the sets and fetches none, and urllib3 takes a tenth of a second.
    from image_classifier.model_hub import download_http

    kept = packages.cache_folder() / "downloads" / "flower_photos.tgz"
    try:
        download_http.fetch(archive.address, kept, archive.sha256)
    except PlatformError as error:
        raise PlatformError(f"{error} The flowers need internet access; solar needs PyPI only.") from error
    with tempfile.TemporaryDirectory(prefix="flowers-") as scratch:
        try:
            archives.unpack(kept, Path(scratch))
        finally:
            kept.unlink()
        _lay_out(_images(Path(scratch) / "flower_photos"), folder, archive.address, archive.counts)


def write_from_bucket(folder: Path, bucket: jumpstart.Bucket, counts: Mapping[str, int] = COUNTS) -> None:
    """Download JumpStart's copy image by image; images that are there already are skipped.

    Raises:
        ExplainedError: S3 rejects or does not answer.
        UserError: The copy has other classes; other counts are printed and accepted.
    """
    location = bucket.at(jumpstart.FLOWERS)
    kept = packages.cache_folder() / "downloads" / "tf_flowers"
    download_s3.fetch_folder(S3Storage(bucket.access), location, kept)
    found = _images(kept)
    if set(found) == set(counts) and (difference := _difference(found, counts)):
        # The counts of AWS's copy are not documented.
        print(f"{location} has other counts than TensorFlow's archive: {difference}", flush=True)
        counts = {name: len(paths) for name, paths in found.items()}
    _lay_out(found, folder, str(location), counts)
    shutil.rmtree(kept)


def _images(folder: Path) -> dict[str, list[Path]]:
    classes = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return {
        path.name: [image for image in sorted(path.iterdir()) if image.suffix.lower() in EXTENSIONS] for path in classes
    }


def _difference(found: Mapping[str, list[Path]], counts: Mapping[str, int]) -> str:
    """Describe the found and the expected counts; empty if they are equal."""
    numbers = {name: len(paths) for name, paths in found.items()}
    if numbers == dict(counts):
        return ""
    has, expected = (", ".join(f"{name} {count}" for name, count in of.items()) for of in (numbers, counts))
    return f"it has {has or 'no class folders'}; expected {expected}."


def _lay_out(found: Mapping[str, list[Path]], folder: Path, source: str, counts: Mapping[str, int]) -> None:
    if wrong := _difference(found, counts):
        raise UserError(f"{source} is not the flowers: {wrong}")
    for name, paths in found.items():
        (folder / name).mkdir(parents=True)
        for path in paths:
            shutil.move(path, folder / name / path.name)
