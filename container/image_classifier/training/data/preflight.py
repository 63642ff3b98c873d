"""Pre-flight checks before TensorFlow starts and the first image is decoded: every problem in one message.

They use only the standard library and the first bytes of a few files; a job that will fail says so within a second.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from image_classifier.class_folders import channel_listing, channel_scan, permissions, split_folders
from image_classifier.class_folders.channel_scan import Scan
from image_classifier.class_folders.problems import Problem, raise_all
from image_classifier.contract import value_forms
from image_classifier.contract.channels import CHANNELS
from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.contract.names import code_points, listed, on_one_line
from image_classifier.contract.opt_ml import OptMl
from image_classifier.training.data import sharded
from image_classifier.training.model import model_folder
from image_classifier.training.progress import log

TRAINING, MODEL = "training", "model"
_IMAGES = tuple(channel.name for channel in CHANNELS if channel.name != MODEL)
_MEANT = {
    **dict.fromkeys(("train", "images", "image", "data", "dataset", "input"), "training"),
    **dict.fromkeys(("val", "valid", "eval", "evaluation", "dev"), "validation"),
    **dict.fromkeys(("tests", "testing", "holdout"), "test"),
    **dict.fromkeys(("models", "backbone", "pretrained"), "model"),
}
"""Channel names of other programs, and ours for them."""
_CLASSES_SHOWN = 20
_OF_THE_SDK = ("code", "sm_drivers")
"""Channels that the SageMaker SDK adds for user scripts."""


def check(opt_ml: OptMl, values: Hyperparameters) -> dict[str, Scan]:
    """Walk the image channels and try the folders that the job writes to; returns what lies in each channel given.

    Logs which channels are read, what is ignored, and what looks odd.

    Raises:
        UserError, PlatformError: One message with every problem: the platform's when one of them is.
    """
    problems = [*_problems_of_folders(opt_ml), *_problem_of_the_model_folder(opt_ml)]
    given = opt_ml.channel_names()
    scans = {name: channel_scan.scan(opt_ml.channel_dir(name), name) for name in _IMAGES if _is_there(opt_ml, name)}
    for line in [*_lines_on_channels(given, scans), *(line for found in scans.values() for line in _notes(found))]:
        log(line)
    problems += _problems_of_files(opt_ml)
    problems += _problems_of_channels(opt_ml, given, scans, values)
    raise_all(problems)
    return scans


def _is_there(opt_ml: OptMl, channel: str) -> bool:
    return opt_ml.channel_dir(channel).is_dir()


def _problems_of_folders(opt_ml: OptMl) -> list[Problem]:
    folders = [opt_ml.model_dir, opt_ml.failure_file.parent, opt_ml.output_data_dir]
    if opt_ml.keeps_checkpoints:
        folders.append(opt_ml.checkpoints_dir)
    found = [permissions.unwritable_folder(folder) for folder in folders]
    found.append(permissions.unusable_scratch())
    # Several missing folders are checked at the same parent folder.
    distinct = {problem.text: problem for problem in found if problem}
    return [*distinct.values(), *_problems_of_reading(opt_ml)]


def _problem_of_the_model_folder(opt_ml: OptMl) -> list[Problem]:
    try:
        model_folder.check(opt_ml)
    except UserError as error:
        return [Problem(str(error))]
    except OSError:
        # Folders that cannot be read are named by the other checks.
        return []
    return []


def _problems_of_reading(opt_ml: OptMl) -> list[Problem]:
    root, model = opt_ml.channel_dir(""), opt_ml.channel_dir(MODEL)
    found = []
    for folder in (root, model):
        if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK, effective_ids=True):
            found.append(permissions.problem("cannot be read", "folder", [on_one_line(str(folder))]))
    return found or permissions.unreadable_files([path for path in model.rglob("*") if path.is_file()])


def _problems_of_files(opt_ml: OptMl) -> list[Problem]:
    files = [folder for channel in CHANNELS if (folder := opt_ml.channel_dir(channel.name)).is_file()]
    return [Problem(f"The {file.name} channel {file} is a file; expected a folder that holds it.") for file in files]


def _lines_on_channels(given: Sequence[str], scans: Mapping[str, Scan]) -> list[str]:
    read = [name for name in given if name in scans or name == MODEL]
    lines = [f"Channels read: {listed(read) or 'none'}."]
    for name in given:
        if name in _OF_THE_SDK:
            lines.append(f"The channel {name}, which the SDK adds for scripts, is not read.")
        elif name not in read and name not in _IMAGES:
            lines.append(f"WARNING: The channel {on_one_line(name)} is NOT READ. {_names_that_count([name], scans)}")
    return lines


def _names_that_count(unread: Sequence[str], scans: Mapping[str, Scan]) -> str:
    meant = {name: ours for name in unread if (ours := _meant(name)) and ours not in scans}
    hint = "".join(f" Rename {on_one_line(name)} to {ours}." for name, ours in meant.items())
    return f"The names of channels that count are {', '.join(channel.name for channel in CHANNELS)}.{hint}"


def _meant(name: str) -> str | None:
    plain = name.strip().lower()
    return plain if plain in (*_IMAGES, MODEL) else _MEANT.get(plain)


def _notes(found: Scan) -> list[str]:
    lines = list(found.notes)
    if found.loose and found.listing.class_names:
        lines.append(
            f"WARNING: Not used, since only files in class folders are, in the {found.channel} channel beside them: "
            f"{channel_listing.loose_files(found)}."
        )
    return lines if found.manifest else [*lines, *_notes_on_subfolders(found)]


def _notes_on_subfolders(found: Scan) -> list[str]:
    names, below = found.listing.class_names, found.listing.subfolders
    pooled = [name for name, some in zip(names, below, strict=True) if split_folders.parts(sorted(some), lambda _: ())]
    if pooled:
        return [
            f"WARNING: In the {found.channel} channel the classes {listed(list(map(on_one_line, pooled)))} have "
            "sub-folders called like parts of a split; the images of all of them are used together."
        ]
    if len(below) < 2 or len(below[0]) < 2 or any(some != below[0] for some in below):
        return []
    return [
        f"WARNING: In the {found.channel} channel all classes ({listed(list(map(on_one_line, names)))}) have the same "
        f"sub-folders ({listed(sorted(map(on_one_line, below[0])))}), which are not used as classes. If they are the "
        "classes, put them directly into the channel."
    ]


def _problems_of_channels(
    opt_ml: OptMl, given: Sequence[str], scans: Mapping[str, Scan], values: Hyperparameters
) -> list[Problem]:
    found = [problem for one in scans.values() for problem in one.problems]
    spread = {name for name in _IMAGES if sharded.is_sharded(opt_ml.input_data_config_file, name)}
    if TRAINING not in scans and TRAINING not in spread:
        is_file = opt_ml.channel_dir(TRAINING).is_file()
        return found if is_file else [*found, _training_is_missing(opt_ml, given, scans)]
    names = scans[TRAINING].listing.class_names if TRAINING in scans else ()
    for name, one in scans.items():
        if name in spread and one.manifest:
            found.append(_manifest_is_sharded(one))
        elif name not in spread:
            others = names if name != TRAINING and names and TRAINING not in spread else None
            found += channel_listing.problems_of_whole(one, others)
    if TRAINING in scans:
        found += channel_listing.parts_of_a_split(scans[TRAINING], _weighted(values))
        found += _problems_of_given_splits(scans)
        found += problems_of_values(names, values) if names and TRAINING not in spread else []
    return found


def _manifest_is_sharded(found: Scan) -> Problem:
    return Problem(
        f"The {found.channel} channel has the manifest {on_one_line(str(found.manifest))} and is distributed by "
        "ShardedByS3Key, so each host has other files than it lists. Use FullyReplicated."
    )


def _problems_of_given_splits(scans: Mapping[str, Scan]) -> list[Problem]:
    given = {example.split for example in scans[TRAINING].listing.examples}
    return [
        Problem(
            f"The {name} split is given twice: by the manifest {on_one_line(str(scans[TRAINING].manifest))} of the "
            f"training channel and by the {name} channel. Leave one of them out."
        )
        for name in _IMAGES
        if name != TRAINING and name in given and name in scans
    ]


def _training_is_missing(opt_ml: OptMl, given: Sequence[str], scans: Mapping[str, Scan]) -> Problem:
    folder = opt_ml.channel_dir(TRAINING)
    piped = [path.name for path in _piped(folder.parent)]
    if piped:
        return Problem(
            f"The training channel is in Pipe mode ({listed(piped)} in {folder.parent}), which has no folders and so "
            "no class names and no manifest. Use the input mode File or FastFile."
        )
    there = f"the channels given are {listed(list(map(on_one_line, given)))}" if given else "no channel is given"
    return Problem(
        f"The training channel is missing: the folder {folder} does not exist; {there}. "
        f"{_names_that_count(given, scans)} Expected {folder}/<class name>/<image>, one folder per class."
    )


def _piped(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(f"{TRAINING}_[0-9]*") if path.is_fifo())


def _weighted(values: Hyperparameters) -> set[str]:
    given = value_forms.class_weights(values.class_weights)
    return set() if isinstance(given, str) else set(given)


def problems_of_values(names: Sequence[str], values: Hyperparameters) -> list[Problem]:
    """Return the problems of hyperparameters that ask for other classes than `names`, those of training."""
    found = []
    if values.binary_mode and len(names) != 2:
        found.append(
            f"binary_mode=True needs two classes; the training channel has {len(names)}: "
            f"{listed(list(map(on_one_line, names)), _CLASSES_SHOWN)}. Leave binary_mode out, or give two class "
            "folders."
        )
    if unknown := sorted(_weighted(values) - set(names)):
        found.append(
            f"class_weights names classes that the training channel lacks: {listed(list(map(code_points, unknown)))}. "
            f"Its classes are {listed(list(map(code_points, names)), _CLASSES_SHOWN)}."
        )
    return list(map(Problem, found))
