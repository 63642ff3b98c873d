"""Stage a backbone: make the archive of the `model` channel from a model_id, an address, a folder or an archive."""

import json
import shutil
import tarfile
import tempfile
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

from image_classifier import archives, artifact_checksums, artifacts, durable_files, model_layout, own_files
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.addresses import without_secrets
from image_classifier.contract.errors import UserError, cause
from image_classifier.contract.system_names import is_system_name
from image_classifier.model_hub import catalogue, pretrained_classifier, sources
from image_classifier.model_hub.catalogue import CatalogueModel
from image_classifier.model_hub.converters import converted
from image_classifier.model_hub.converters.table import PACKAGED_BACKBONES
from image_classifier.model_hub.sources import FetchedModel, Origin
from image_classifier.untrusted_models import assumptions

_LARGEST_INFO = 1 << 20
"""Bytes of a model info that is read to find out whose an archive is."""


@dataclass(frozen=True)
class Options:
    """What cannot be read off a SavedModel, and where to look for a model of the catalogue."""

    with_head: bool = False
    image_size: tuple[int, int] | None = None
    """Height and width; None: what the model info says, else the catalogue, else 224 x 224."""
    pixel_scaling_method: str | None = None
    random_weights: bool = False
    """For control experiments: the architecture of a packaged backbone without what it has learnt."""
    origin: Origin = field(default_factory=Origin)


def stage(source: str, output: Path, options: Options | None = None) -> Path:
    """Write the archive of `source` to `output` and return it: SavedModel under `1/`, model info, labels with a head.

    `source` is a model_id of the catalogue or its short name, an https Hub handle, an s3 address, a model folder, or an
    archive of one. Says on standard output where it came from.

    An archive that was staged before is replaced, any other file is not.

    Raises:
        ExplainedError: The source is unknown, cannot be fetched, or holds no SavedModel; or `output` cannot be written.
    """
    options, shown = options or Options(), without_secrets(source)
    if output.is_dir():
        raise UserError(
            f"--output {output} is a folder. Give the name of the archive, such as {output / 'lite0.tar.gz'}."
        )
    own_files.reject_foreign_file(output, "--output", "a staged backbone", _is_staged)
    if reason := own_files.unwritable(output.parent):
        raise UserError(
            f"{without_secrets(source)} cannot be staged to {output}: {reason}. Look at that path and its disk."
        )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="staging-") as scratch:
            found = sources.of_text(source, options.origin, Path(scratch))
            model = None if found else catalogue.find(source)
            if model and (name := _package(model, options.origin)):
                with durable_files.replacing(output) as partial:
                    shutil.copyfile(_converted(source, name, model, options), partial)
                print(f"Source: package, {PACKAGED_BACKBONES[name].description}", flush=True)
                return output
            if model:
                found = sources.of_model(model, options.with_head, options.origin, Path(scratch))
            assert found
            print(f"Source: {found.source}", flush=True)
            _copy(found, model, Path(scratch) / "model", options)
            if options.with_head:
                _make_servable(Path(scratch) / "model", found.source)
            archives.pack(Path(scratch) / "model", output)
    except OSError as error:
        raise UserError(
            f"{shown} cannot be staged to {output}: {cause(error)}. Look at that path and its disk."
        ) from error
    return output


def _is_staged(path: Path) -> bool:
    """Say whether an archive is a backbone that was staged: its model info is ours, and no job fine-tuned it."""
    try:
        with tarfile.open(path, "r:gz") as tar:
            for member in tar:
                if member.name == artifacts.MODEL_INFO_FILE and member.isreg() and member.size < _LARGEST_INFO:
                    file = tar.extractfile(member)
                    info = json.loads(file.read()) if file else None
                    # As `archives.pack` writes members, which other programs give their owner and time.
                    anonymous = (member.mtime, member.uid, member.uname) == (0, 0, "")
                    return anonymous and isinstance(info, dict) and info.get("finetuned") is False
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError):
        return False
    return False


def _package(model: CatalogueModel, origin: Origin) -> str | None:
    """Return the name of the package's conversion when it shall be taken."""
    name = model.package
    if origin.name == "package" and not name:
        raise UserError(f"{model.model_id} is in no package; {' and '.join(PACKAGED_BACKBONES)} are.")
    return name if origin.name in (None, "package") and not origin.mirror else None


def _converted(source: str, name: str, model: CatalogueModel, options: Options) -> Path:
    if options.image_size or options.pixel_scaling_method:
        raise UserError(f"{source} has its own image size and pixel scaling. Leave the two options out.")
    return converted.archive(
        converted.Wanted(name, options.with_head, options.random_weights, dict(model.hyperparameters))
    )


def _copy(found: FetchedModel, model: CatalogueModel | None, folder: Path, options: Options) -> None:
    for note in model_layout.notes(found.folder):
        print(note.replace(str(found.folder), found.source), flush=True)
    given = model_layout.root(found.folder)
    info = _with_catalogue(given, model)
    bare = (given / artifacts.SAVED_MODEL_FILE).is_file()
    saved_model = given if bare else artifacts.saved_model_folder(given)
    shutil.copytree(saved_model, folder / artifacts.SAVED_MODEL_DIR, ignore=_system_names)
    info = _completed(info, given, found, model, options)
    names = (artifacts.LABELS_FILE, artifacts.CLASS_INDEX_FILE)
    labels = any((given / name).is_file() for name in names)
    if labels:
        artifacts.write_labels(folder, artifacts.read_labels(given))
    recorded = {"archive_sha256": found.archive_sha256} if found.archive_sha256 else {}
    artifacts.write_model_info(
        folder,
        replace(
            info,
            image_size=options.image_size or info.image_size,
            pixel_scaling_method=options.pixel_scaling_method or info.pixel_scaling_method,
            source=info.source or found.source,
            sha256=artifact_checksums.undamaged_sha256(folder / artifacts.SAVED_MODEL_DIR, info, found.source),
            extra={**info.extra, **recorded},
        ),
    )


def _system_names(_: str, names: list[str]) -> list[str]:
    return [name for name in names if is_system_name(name)]


def _completed(
    info: ModelInfo, given: Path, found: FetchedModel, model: CatalogueModel | None, options: Options
) -> ModelInfo:
    """Add what the SavedModel itself says, and warn of what is assumed and will be recorded."""
    if model:
        return info
    known = {"image_size": options.image_size, "pixel_scaling_method": options.pixel_scaling_method}
    info, warning = assumptions.complete(given, info, [key for key, value in known.items() if value])
    if warning:
        print(warning.replace(str(given), found.source), flush=True)
    return info


def _make_servable(folder: Path, source: str) -> None:
    """Add what the pre-trained classifier needs to be served, also without TensorFlow: names, and an OpenVINO IR."""
    try:
        pretrained_classifier.add_labels(folder)
    except UserError as error:
        raise UserError(str(error).replace(str(folder), source)) from error
    pretrained_classifier.add_ir(folder)


def _with_catalogue(folder: Path, model: CatalogueModel | None) -> ModelInfo:
    """Return a folder's model info, completed by what the catalogue knows of the model; the folder's own word wins."""
    info = artifacts.read_model_info(folder)
    if not model:
        return info
    if not any((folder / name).is_file() for name in artifacts.MODEL_INFO_NAMES):
        info = replace(info, image_size=model.image_size, pixel_scaling_method=model.pixel_scaling_method)
    return replace(
        info,
        model_id=info.model_id or model.model_id,
        licence=info.licence or model.licence,
        hyperparameters=info.hyperparameters or dict(model.hyperparameters),
    )
