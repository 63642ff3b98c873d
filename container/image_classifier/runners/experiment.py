"""The whole experiment in one file, `job.toml`: data, model, hyperparameters and where it runs.

The same file trains on this machine, in Docker and on SageMaker. A job keeps it in its folder as `experiment.toml`.

    name = "flowers"
    training = "photos/train"          # a folder, a manifest or an s3:// URI; relative to this file
    model = "lite0"                    # an id or short name, an archive, a folder or an s3:// URI
    runner = "sagemaker"               # local, docker or sagemaker

    [hyperparameters]
    recipe = "auto"

    [sagemaker]                        # options of one runner; those of the others do not matter
    instance_type = "ml.m5.xlarge"
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote_to_bytes

from image_classifier import durable_files
from image_classifier.class_folders import manifests
from image_classifier.contract import hyperparameters
from image_classifier.contract.errors import ExplainedError, UserError
from image_classifier.contract.names import is_utf8, printable
from image_classifier.runners import experiment_values, toml_writing, unknown_keys
from image_classifier.runners.experiment_values import Option, shown

FILE = "experiment.toml"
"""The name of the file in a job's folder."""
LOCAL, DOCKER, SAGEMAKER = RUNNERS = ("local", "docker", "sagemaker")
CHANNELS = ("training", "validation", "test")
_TEXTS = ("name", *CHANNELS, "model", "runner")
_HYPERPARAMETERS = "hyperparameters"
_KEYS = (*_TEXTS, _HYPERPARAMETERS, *RUNNERS)
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_S3, _FILE_URI = "s3://", "file://"


@dataclass(frozen=True)
class Experiment:
    """What to train on, from which model, with which settings, and where."""

    name: str
    """1 to 63 letters, digits and hyphens, as SageMaker names jobs."""
    training: str
    """A path or an s3:// URI, like the other channels."""
    validation: str | None = None
    test: str | None = None
    model: str | None = None
    """A catalogue id or short name, a path or an s3:// URI; None: the default model, or what model_uri names."""
    hyperparameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    runner: str = LOCAL
    """One of `RUNNERS`."""
    options: Mapping[str, Mapping[str, Option]] = field(default_factory=lambda: MappingProxyType({}))
    """The options of each runner by the runner's name."""

    @property
    def runner_options(self) -> Mapping[str, Option]:
        """The options of the chosen runner."""
        return self.options.get(self.runner, {})

    @property
    def channels(self) -> dict[str, str]:
        """The channels that are given, by name."""
        found = {name: getattr(self, name) for name in CHANNELS}
        return {name: value for name, value in found.items() if value is not None}


def is_s3(address: str) -> bool:
    """Return whether a channel or a model is an s3:// URI."""
    return address.startswith(_S3)


def is_address(text: str) -> bool:
    """Return whether a channel or a model is an address of any kind, such as https://..., and not a path."""
    return _ADDRESS.match(text) is not None


def name_from(text: str) -> str:
    """Return a valid name for an experiment that resembles `text`, such as a folder's name; `job` if nothing does."""
    return re.sub(r"[^a-zA-Z0-9]+", "-", text).strip("-")[:63].rstrip("-") or "job"


def problems(experiment: Experiment) -> list[str]:
    """Return a sentence for each problem that is independent of the machine: name, runner, hyperparameters."""
    found = []
    if not _NAME.fullmatch(experiment.name):
        found.append(
            f"name is {shown(experiment.name)}; expected 1 to 63 letters, digits and hyphens, such as "
            f"{name_from(experiment.name)}."
        )
    found += [
        f"{name} is {address or 'empty'}; expected a folder or an s3:// URI."
        for name, address in experiment.channels.items()
        if not address or (is_address(address) and not is_s3(address))
    ]
    if experiment.runner not in RUNNERS:
        found.append(f"runner is {shown(experiment.runner)}; expected one of: {', '.join(RUNNERS)}.")
    try:
        hyperparameters.parse(dict(experiment.hyperparameters))
    except ExplainedError as error:
        found.append(str(error))
    return found


def unknown_options(experiment: Experiment, runner: str, allowed: Sequence[str]) -> list[str]:
    """Return a sentence for each option of a runner that it does not have."""
    return unknown_keys.sentences(_keys(experiment.options.get(runner, {})), allowed, f"[{runner}]")


def _keys(given: Iterable[str]) -> list[tuple[str, str]]:
    return [(name, shown(name)) for name in given]


def read(path: Path) -> Experiment:
    """Read an experiment; relative paths of channels and model are resolved against the folder of the file.

    Raises:
        UserError: The file cannot be read or is not TOML; or one message that lists every problem in it.
    """
    try:
        given = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}. Give the path of a job.toml.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not TOML: byte {error.start} is not UTF-8. Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not TOML: {error}. See docs/guides/train-locally.md.") from error
    return of_table(given, path)


def of_table(given: Mapping[str, Any], path: Path) -> Experiment:
    """Turn the content of the file `path` into an experiment; see `read`."""
    found = unknown_keys.sentences(_keys(given), _KEYS, "")
    texts = {name: given[name] for name in _TEXTS if name in given}
    for name, value in texts.items():
        if not isinstance(value, str):
            found.append(f"{name} is {shown(value)}; expected a text in quotes.")
    found += [f'{name} is missing. Write {name} = "photos".' for name in ("name", "training") if name not in given]
    settings = {
        name: experiment_values.hyperparameter(value)
        for name, value in experiment_values.table(given, _HYPERPARAMETERS, found).items()
    }
    options = {name: experiment_values.options(given, name, found) for name in RUNNERS if name in given}
    texts = {name: value for name, value in texts.items() if isinstance(value, str)}
    folder = path.absolute().parent
    for name in (*CHANNELS, "model"):
        if texts.get(name):
            texts[name] = _resolved(texts[name], folder, name == "model")
            if name != "model":
                texts[name] = _channel_folder(texts[name], name, found)
    made = Experiment(
        **{"name": "name", "training": ".", **texts},
        hyperparameters=MappingProxyType(settings),
        options=MappingProxyType(options),
    )
    found += problems(made)
    if found:
        raise UserError(f"{path}: {' '.join(found)}")
    return made


def write(path: Path, experiment: Experiment) -> None:
    """Write an experiment atomically, so that `read` returns an equal one.

    Local paths should be absolute: see `absolute`.

    Raises:
        OSError: The disk is full or not writable.
    """
    durable_files.write_bytes(path, text(experiment).encode())


def text(experiment: Experiment) -> str:
    """Return an experiment as TOML; hyperparameters as numbers and booleans where that loses nothing."""
    top = {name: getattr(experiment, name) for name in _TEXTS}
    tables: dict[str, Any] = {
        _HYPERPARAMETERS: {
            printable(name): experiment_values.native(printable(value))
            for name, value in experiment.hyperparameters.items()
        },
        **experiment.options,
    }
    return toml_writing.document({name: _writable(value) for name, value in top.items() if value is not None}, tables)


def with_hyperparameters(experiment: Experiment, given: Mapping[str, str]) -> Experiment:
    """Return the experiment with other values for some hyperparameters, under whichever of their names."""
    declared = {
        alias: declaration.name
        for declaration in hyperparameters.DECLARATIONS
        for alias in (declaration.name, *declaration.aliases)
    }

    def name_of(spelling: str) -> str:
        plain = spelling.strip().replace("-", "_")
        return declared.get(plain, plain)

    replaced = set(map(name_of, given))
    kept = {name: value for name, value in experiment.hyperparameters.items() if name_of(name) not in replaced}
    return replace(experiment, hyperparameters=MappingProxyType({**kept, **given}))


def absolute(experiment: Experiment) -> Experiment:
    """Return the experiment with absolute local paths, so that it means the same from any working folder."""
    here = Path.cwd()
    paths: dict[str, Any] = {name: _resolved(value, here, False) for name, value in experiment.channels.items()}
    model = experiment.model and _resolved(experiment.model, here, True)
    return replace(experiment, **paths, model=model)


def _resolved(address: str, folder: Path, may_be_id: bool) -> str:
    if is_s3(address):
        return address
    if address.startswith(_FILE_URI):
        address = os.fsdecode(unquote_to_bytes(address.removeprefix(_FILE_URI)))
    elif is_address(address):
        return address
    home = address == "~" or address.startswith("~/")
    path = folder / (Path(address).expanduser() if home else address)
    if may_be_id and not path.exists():
        return address
    # Above a link is not where its text says.
    return str(path.resolve() if ".." in path.parts else path)


def _channel_folder(address: str, name: str, found: list[str]) -> str:
    """Return a channel's folder where the file names the manifest in it."""
    if is_address(address):
        return address
    try:
        return str(manifests.folder_of(Path(address), name))
    except UserError as error:
        found.append(str(error))
        return address


def _writable(value: str) -> str:
    # TOML is UTF-8: any other path is written as a URI, whose escapes stand for bytes.
    return value if is_utf8(value) else Path(value).as_uri()
