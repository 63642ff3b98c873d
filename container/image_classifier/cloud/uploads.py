"""Upload local folders and files under names that come from their content, so that only what changed is transferred.

Below the S3 folder of a project:

    data/<hash of the manifest>/<class>/<image>    what a channel reads; never changed once it is complete
    data/manifests/<hash of the manifest>.json     written last, so that it marks a complete upload
    files/<hash of the content>/<name>             single files, such as a model

A folder whose manifest lies there already is not transferred. Of any other one, files that the newest uploads hold are
copied inside S3, whatever their names.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from image_classifier.cloud.s3 import Location, S3Storage
from image_classifier.contract.errors import UserError
from image_classifier.contract.names import is_utf8, printable
from image_classifier.durable_files import sha256_of

_CONCURRENT = 8
_EARLIER = 20
"""Manifests of earlier uploads that are read to find files that need no transfer."""
_NAME_LENGTH = 24
"""Hexadecimal digits of a hash in a name: 96 bits."""
Progress = Callable[[int, int], None]
"""Called with the number of files that are done and of all."""


def _every(path: Path) -> bool:
    return True


@dataclass(frozen=True)
class Manifest:
    """The files of a folder by their path relative to it, each with the SHA-256 of its content."""

    files: dict[str, str]
    size: int
    """Bytes of all files."""
    wanted: Callable[[Path], bool] = field(default=_every, compare=False)
    """Which files belong to the upload, by their paths."""

    @property
    def digest(self) -> str:
        """A name for exactly this content."""
        lines = "".join(f"{sha256} {path}\n" for path, sha256 in sorted(self.files.items()))
        return hashlib.sha256(lines.encode()).hexdigest()[:_NAME_LENGTH]


@dataclass(frozen=True)
class Upload:
    """What an upload did."""

    location: Location
    transferred: int
    """Files that were sent from here."""
    copied: int
    """Files that were copied inside S3."""
    unchanged: int
    """Files that lay there already."""


def manifest_of(folder: Path, wanted: Callable[[Path], bool] = _every) -> Manifest:
    """Read every file of a folder and hash it; links are followed, names that begin with a dot are left out.

    Args:
        folder: It is walked with its sub-folders.
        wanted: Which files belong to the upload, by their paths.

    Raises:
        UserError: A file cannot be read, a name is not valid UTF-8, or the folder has none that is wanted.
    """
    files: dict[str, str] = {}
    size = 0
    try:
        with ThreadPoolExecutor(_CONCURRENT) as threads:
            paths = list(filter(wanted, _files(folder)))
            for path, sha256 in zip(paths, threads.map(sha256_of, paths), strict=True):
                name = path.relative_to(folder).as_posix()
                if not is_utf8(name):
                    raise UserError(f"{printable(str(path))}: the name is not valid UTF-8, which S3 needs. Rename it.")
                files[name] = sha256
                size += path.stat().st_size
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}.") from error
    if not files:
        raise UserError(f"{folder} holds no file, so that nothing can be uploaded. Give a folder with files.")
    return Manifest(files, size, wanted)


def _files(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _files(entry)
        elif entry.is_file():
            yield entry


def location_of(manifest: Manifest, project: Location) -> Location:
    """Return where a folder's files lie once they are uploaded."""
    return project.below(f"data/{manifest.digest}")


def upload_folder(
    storage: S3Storage, folder: Path, manifest: Manifest, project: Location, progress: Progress
) -> Upload:
    """Upload what is not there yet and return what was done.

    An upload that was interrupted transfers only the rest.

    Raises:
        ExplainedError: A file changed meanwhile, or S3 rejects a request or cannot be reached.
    """
    target = location_of(manifest, project)
    record = project.below(f"data/manifests/{manifest.digest}.json")
    if storage.exists(record):
        return Upload(target, 0, 0, len(manifest.files))
    present = {entry.name: entry.size for entry in storage.list(target)}
    earlier = _earlier(storage, project)
    missing = [name for name in manifest.files if present.get(name) != (folder / name).stat().st_size]
    copied = [name for name in missing if manifest.files[name] in earlier]

    def bring(name: str) -> None:
        sha256 = manifest.files[name]
        if sha256 in earlier:
            storage.copy(earlier[sha256], target.below(name))
        else:
            storage.put(folder / name, target.below(name))

    with ThreadPoolExecutor(_CONCURRENT) as threads:
        for done, _ in enumerate(threads.map(bring, missing), 1):
            progress(done, len(missing))
    _reject_changed(folder, manifest)
    storage.write_bytes(json.dumps({"files": manifest.files}, sort_keys=True).encode(), record)
    return Upload(target, len(missing) - len(copied), len(copied), len(manifest.files) - len(missing))


def upload_file(storage: S3Storage, file: Path, project: Location) -> Upload:
    """Upload a file unless its content lies there already.

    Raises:
        ExplainedError: S3 rejects a request or cannot be reached.
    """
    target = file_location(file, project)
    if storage.exists(target):
        return Upload(target, 0, 0, 1)
    storage.put(file, target)
    return Upload(target, 1, 0, 0)


def file_location(file: Path, project: Location) -> Location:
    """Return where a file lies once it is uploaded."""
    return project.below(f"files/{sha256_of(file)[:_NAME_LENGTH]}/{file.name}")


def _earlier(storage: S3Storage, project: Location) -> dict[str, Location]:
    """Return where contents of earlier complete uploads lie, by their SHA-256."""
    found: dict[str, Location] = {}
    for name in storage.newest(project.below("data/manifests"), _EARLIER):
        content = storage.read_bytes(project.below(f"data/manifests/{name}"))
        folder = project.below(f"data/{name.removesuffix('.json')}")
        for path, sha256 in json.loads(content or b'{"files": {}}')["files"].items():
            found.setdefault(sha256, folder.below(path))
    return found


def _reject_changed(folder: Path, manifest: Manifest) -> None:
    """Ensure that what was uploaded under the name of a content has this content."""
    if manifest_of(folder, manifest.wanted) != manifest:
        raise UserError(f"{folder} changed while it was uploaded. Run the command again when it is complete.")
