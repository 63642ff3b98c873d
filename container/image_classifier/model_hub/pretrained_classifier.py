"""What a pre-trained classifier needs besides its SavedModel to be served: names for its classes, an OpenVINO IR."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from image_classifier import PROGRAM, artifacts
from image_classifier.contract.errors import UserError, last_line
from image_classifier.model_hub import packages
from image_classifier.model_hub.converters.table import imagenet_names
from image_classifier.untrusted_models.loader import load_untrusted

BACKGROUND = "background"
SYNSETS = packages.Wheel("timm", "1.0.31", "5bd50f7d0fe6d09bf9285ac2523234a1b7e6bf075c0be3e7aed09139fcb617c7")
"""Read as a file: ImageNet-21k's synsets in index order, and WordNet's words for them (Apache-2.0)."""


def add_labels(folder: Path) -> None:
    """Write the label files of an ImageNet classifier that comes without any; existing ones are left alone.

    Which names, follows from the number of its outputs, which must be one of `NAMES`.

    Raises:
        UserError: It is rejected (see `load_untrusted`), or has another number of outputs, so it needs a label file of
            its own.
        PlatformError: A package with names cannot be fetched.
    """
    if any((folder / name).is_file() for name in (artifacts.LABELS_FILE, artifacts.CLASS_INDEX_FILE)):
        return
    saved_model = artifacts.saved_model_folder(folder)
    found = set(_widths(load_untrusted(saved_model, trust=False, info=artifacts.read_model_info(folder))))
    known = sorted(found & set(NAMES))
    if len(known) != 1:
        widths = ", ".join(map(str, sorted(found))) or "of unknown number"
        raise UserError(
            f"The classes of {folder} have no names: its outputs are {widths}, and ImageNet's names are known for "
            f"{', '.join(map(str, NAMES))}. Put a {artifacts.LABELS_FILE} beside the SavedModel: "
            '{"labels": ["first class", "second class"]}, in index order.'
        )
    artifacts.write_labels(folder, NAMES[known[0]]())


def _widths(loaded: Any) -> Iterator[int]:
    """Yield how many numbers an image gets, from every output of the shape (images, numbers)."""
    import tensorflow as tf

    functions = list(dict(getattr(loaded, "signatures", {})).values())
    if callable(loaded):
        functions += getattr(loaded.__call__, "concrete_functions", [])
    for function in functions:
        for output in tf.nest.flatten(function.structured_outputs):
            shape = output.shape
            if shape.rank == 2 and shape[1] is not None:
                yield int(shape[1])


def _with_background() -> list[str]:
    return [BACKGROUND, *imagenet_names()]


def _synset_names(file: str) -> Callable[[], list[str]]:
    def names() -> list[str]:
        folder = "timm/data/_info"
        words = packages.read(SYNSETS, f"{folder}/imagenet_synset_to_lemma.txt").decode().splitlines()
        by_synset = dict(line.split("\t", 1) for line in words)
        synsets = packages.read(SYNSETS, f"{folder}/{file}").decode().split()
        return [by_synset[synset] for synset in synsets]

    return names


NAMES: Mapping[int, Callable[[], list[str]]] = {
    1000: imagenet_names,
    1001: _with_background,
    21841: _synset_names("imagenet22k_synsets.txt"),
    21843: _synset_names("imagenet21k_goog_synsets.txt"),
}
"""Number of outputs to the names: ImageNet-1k, with a background class, and ImageNet-21k in its two sizes."""


def add_ir(artefact: Path) -> bool:
    """Add the OpenVINO IR to a model folder or archive, which the serve image needs; say whether there is one now.

    By `scripts/convert-model`'s program, in a process of its own: this package does not know the engines.
    """
    command = [sys.executable, "-m", "image_classifier.cli.convert_model", str(artefact)]
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    said = done.stdout.strip() if done.returncode == 0 else last_line(done.stderr)
    # It lies in a temporary folder, whose name means nothing to the user.
    print(said.replace(str(artefact), "The model"), flush=True)
    return done.returncode == 0
