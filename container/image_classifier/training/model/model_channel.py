"""The model channel: one archive, or the files of one model; errors name the unexpected files."""

from pathlib import Path

from image_classifier import archives, artifacts
from image_classifier.contract.errors import UserError
from image_classifier.contract.system_names import is_ignored

_EXPECTED = f"one archive ({', '.join(archives.SUFFIXES)}) or the files of one model"
_ZIP = ".zip"


def unpacked(channel: Path, into: Path) -> Path:
    """Return the folder of the channel's model: the channel, or its only archive unpacked into `into`.

    Hidden files and files of operating systems are ignored, such as `._model.tar.gz` beside `model.tar.gz`.

    Raises:
        UserError: There are several archives, an archive beside an unpacked model, or a zip archive; or the archive is
            rejected.
        PlatformError: There is no space to unpack it.
    """
    files = [path for path in sorted(channel.rglob("*")) if path.is_file() and not _is_hidden(path, channel)]
    models = [path.parent for path in files if path.name == artifacts.SAVED_MODEL_FILE]
    # Files inside a SavedModel, such as assets, belong to the model.
    loose = [path for path in files if not any(path.is_relative_to(model) for model in models)]
    packed = [path for path in loose if archives.is_archive(path)]
    zipped = [path for path in loose if path.suffix.lower() == _ZIP]
    if zipped and not packed and not models:
        raise UserError(
            f"The model channel holds {_names(zipped, channel)}, and zip archives are not supported. Unpack it, "
            "then pack the model with tar czf model.tar.gz -C FOLDER ."
        )
    if len(packed) > 1:
        raise UserError(
            f"The model channel holds {len(packed)} archives: {_names(packed, channel)}. Expected {_EXPECTED}; keep "
            "the one to train on."
        )
    if packed and models:
        raise UserError(
            f"The model channel holds the archive {_names(packed, channel)} and an unpacked model "
            f"({_names(models, channel)}/). Expected {_EXPECTED}; keep one of the two."
        )
    return archives.materialise(packed[0], into) if packed else channel


def _is_hidden(path: Path, channel: Path) -> bool:
    return any(map(is_ignored, path.relative_to(channel).parts))


def _names(paths: list[Path], channel: Path) -> str:
    names = [path.relative_to(channel).as_posix() for path in paths]
    return ", ".join(name if name.isprintable() else ascii(name) for name in names[:5])
