"""The files of a local job, as patterns of paths in its folder, and their removal without touching any others."""

import os
import stat
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from image_classifier import artifacts
from image_classifier.contract import report_files
from image_classifier.contract.errors import UserError

CHECKPOINTS = "checkpoints"
"""A job resumes from this folder; the user may create it."""
INPUT = ("input",)
RESULT = ("model", "output", CHECKPOINTS)
_STAGES = tuple(f"{CHECKPOINTS}/{name}" for name in ("model-choice", "race", "tuning"))
"""Checkpoints of a part of a recipe."""
_CHECKPOINTS = tuple(
    f"{folder}/{name}"
    for folder in (CHECKPOINTS, *_STAGES)
    for name in ("checkpoint-*-step-*", ".checkpoint-*-step-*.partial")
)
_IRS = tuple(
    name.format(folder)
    for folder in (artifacts.OPENVINO_DIR, artifacts.OPENVINO_INT8_DIR)
    for name in ("{}", ".{}.partial")
)
_RUNS = tuple(f"output/tensorboard/{name}" for name in ("train", "validation"))
CHECKED = (*INPUT, "model", "output")
_FOLDERS = (
    *(*INPUT, *RESULT, *_STAGES, *_CHECKPOINTS),
    *(f"{CHECKPOINTS}/{name}{below}" for name in ("features", "features-*") for below in ("", "/*")),
    *("input/config", "input/data", "input/data/model", "output/data", "output/tensorboard", *_RUNS),
    *(f"model/{name}" for name in (artifacts.SAVED_MODEL_DIR, *_IRS)),
    *("model/1/variables", "model/1/assets", "model/.saved_model.partial", "model/.saved_model.partial/*"),
    "model/.saved_model.partial/variables/*",
)
_REPORTS = (
    *("metrics.json", "history.csv", "predictions.csv", "skipped.csv", "out_of_fold.csv", "search.csv"),
    *report_files.ALL,
)
_FILES = (
    *("input/config/hyperparameters.json", "input/config/resourceconfig.json"),
    *("model/1/saved_model.pb", "model/1/fingerprint.pb", "model/1/variables/variables.*", "model/1/assets/*"),
    *(f"model/.saved_model.partial/{deep}" for deep in ("*", "*/*", "variables/*/*")),
    "model/.unfinished",
    *(f"model/{place}/{name}" for place in _IRS for name in artifacts.OPENVINO_FILES),
    *(
        f"model/{name}{ending}"
        for name in (
            *(artifacts.LABELS_FILE, artifacts.CLASS_INDEX_FILE, artifacts.MODEL_INFO_FILE),
            *artifacts.EVALUATION_FILES,
        )
        for ending in ("", ".partial")
    ),
    *(f"output/data/{name}" for name in _REPORTS),
    *("output/data/*.partial", "output/failure", *(f"{run}/events.out.tfevents.*" for run in _RUNS)),
    *(f"{folder}/{name}" for folder in _CHECKPOINTS for name in ("manifest.json", "state.json", "*.npz")),
    *(f"{CHECKPOINTS}/search.trials{ending}" for ending in ("", ".partial")),
    *(
        f"{CHECKPOINTS}/{name}/*/*.features{ending}"
        for name in ("features", "features-*")
        for ending in ("", ".partial")
    ),
)
_LINKS = (
    *(f"input/data/{name}" for name in ("training", "validation", "test", "model")),
    "input/data/model/model.tar.gz",
)
"""Everything that a job and `job_tree` write below the folder, as patterns of relative paths."""


def content(output: Path, parts: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Yield the paths in some folders of a job, innermost first, and whether a job writes them."""
    for name in parts:
        if os.path.lexists(output / name):
            yield from _below(output, name)


def _below(output: Path, name: str) -> Iterator[tuple[str, bool]]:
    mode = (output / name).lstat().st_mode
    patterns = _FOLDERS if stat.S_ISDIR(mode) else _LINKS if stat.S_ISLNK(mode) else _FILES
    known = stat.S_ISDIR(mode) or stat.S_ISLNK(mode) or stat.S_ISREG(mode)
    written = known and any(_matches(name, pattern) for pattern in patterns)
    if stat.S_ISDIR(mode):
        for entry in sorted((output / name).iterdir()):
            yield from _below(output, f"{name}/{entry.name}")
    yield name, written


def _matches(name: str, pattern: str) -> bool:
    """Compare part by part: the star of `fnmatch` also matches slashes."""
    parts, patterns = name.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def clear(output: Path, parts: Sequence[str]) -> None:
    """Remove the files of an earlier job by name; files that appeared since `check` are not touched."""
    for name, written in content(output, parts):
        path = output / name
        if not written:
            raise UserError(
                f"{path} has appeared meanwhile and was not written by a job. Give --output another folder."
            )
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
