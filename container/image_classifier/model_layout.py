"""Locate a model's files below a given folder, and report what in that folder is not used."""

from pathlib import Path

from image_classifier import artifacts
from image_classifier.contract.names import listed
from image_classifier.contract.system_names import is_system_name

_SHOWN = 5
"""Names in one log line."""
_SCRIPTS = ("code", "src")
"""Folders in which other containers look for an inference script."""


def root(folder: Path) -> Path:
    """Return the folder that contains a model's files: the given one, or a folder in it that wraps everything.

    The decision is by the files beside the SavedModel, at any depth: model info, labels, other versions. For no or
    several models it is the given folder.
    """
    if not folder.is_dir() or _is_model(folder):
        return folder
    found = [path.parent for path in artifacts.model_files(folder) if path.name == artifacts.SAVED_MODEL_FILE]
    owners = {_owner(saved_model, folder) for saved_model in found}
    return owners.pop() if len(owners) == 1 else folder


def _is_model(folder: Path) -> bool:
    return (folder / artifacts.SAVED_MODEL_FILE).is_file() or _has_records(folder) or _has_versions(folder)


def _has_versions(folder: Path) -> bool:
    return bool(artifacts.version_folders(folder))


def _has_records(folder: Path) -> bool:
    names = (*artifacts.MODEL_INFO_NAMES, artifacts.LABELS_FILE, artifacts.CLASS_INDEX_FILE)
    return any((folder / name).is_file() for name in names)


def _owner(saved_model: Path, top: Path) -> Path:
    """Return the nearest ancestor of a SavedModel that has records, else versions, else `top`."""
    above = [folder for folder in (saved_model, *saved_model.parents) if folder.is_relative_to(top)]
    for has in (_has_records, _has_versions):
        if found := next(filter(has, above), None):
            return found
    return top


def notes(given: Path, program: str = "") -> list[str]:
    """Return one sentence for each decision about what in a model folder is used; usually none.

    `program` is the value of SAGEMAKER_PROGRAM.
    """
    folder = root(given)
    found = [f"The model is in {folder.relative_to(given)}/ of {given}."] if folder != given else []
    versions = [path.name for path in artifacts.version_folders(folder)]
    if len(versions) > 1:
        found.append(
            f"{folder} has the versions {', '.join(versions)}: using version {versions[-1]}, the highest, as "
            "TensorFlow Serving does."
        )
    return found + _unused(given, folder, program)


def _unused(given: Path, folder: Path, program: str) -> list[str]:
    found = []
    system = sorted(
        path.relative_to(given).as_posix()
        for path in given.rglob("*")
        if is_system_name(path.name) and not any(map(is_system_name, path.relative_to(given).parts[:-1]))
    )
    if system:
        found.append(f"Ignored files of operating systems and tools in {given}: {_listed(system)}.")
    scripts = sorted(
        path.relative_to(given).as_posix()
        for top in dict.fromkeys((given, folder))
        for name in _SCRIPTS
        for path in (top / name).glob("*.py")
    )
    if program and not any(Path(name).name == Path(program).name for name in scripts):
        scripts.append(f"{program} (SAGEMAKER_PROGRAM)")
    if scripts:
        found.append(
            f"Not run: {_listed(scripts)}. This image serves with its own program; move the script's pre- and "
            "postprocessing to the client."
        )
    return found


def _listed(names: list[str]) -> str:
    return listed([name if name.isprintable() else ascii(name) for name in names], _SHOWN)
