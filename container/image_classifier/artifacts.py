"""The model folder: its layout, its file names, and how it is read and written. No TensorFlow.

A model folder holds a SavedModel under `1/`, the model info and, if the model has a head, the label files; beside them
what an evaluation left for serving and monitoring. Training jobs write it, endpoints serve it, and the `model` channel
contains it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image_classifier import artifact_json, durable_files, imaging
from image_classifier.contract import addresses, imaging_versions
from image_classifier.contract.errors import UserError
from image_classifier.contract.names import is_utf8
from image_classifier.contract.system_names import is_system_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAVED_MODEL_DIR = "1"
SAVED_MODEL_FILE = "saved_model.pb"
_VERSION = re.compile(r"[0-9]{1,18}")
"""As in TensorFlow Serving: a 64-bit integer."""
LABELS_FILE = "labels_info.json"
CLASS_INDEX_FILE = "class_label_to_prediction_index.json"
MODEL_INFO_FILE = "__model_info__.json"
MODEL_INFO_NAMES = (MODEL_INFO_FILE, "__models_info__.json", "model_info.json")
"""The first is what we write; the others occur in JumpStart archives."""
OPENVINO_DIR = "openvino"
OPENVINO_FILES = ("model.xml", "model.bin")
"""The graph and the weights of the OpenVINO IR, in `OPENVINO_DIR`."""
OPENVINO_INT8_DIR = "openvino_int8"
"""The quantised IR, with the same file names; only beside the float32 one that it was made of."""
FAMILIARITY_FILE = "familiarity.npz"
"""What the familiarity of an image is computed from; optional."""
DRIFT_BASELINE_FILE = "drift_baseline.npz"
"""What production is compared with; optional."""
EVALUATION_FILES = (FAMILIARITY_FILE, DRIFT_BASELINE_FILE)
"""Files of one training job and one network: neither belongs beside another SavedModel."""
PIXEL_SCALING_METHODS = ("normalize", "center", "standardize_on_imagenet")
LARGEST_SIDE = 4096
"""Limit of an image size, in pixels. The largest model of the Hub takes 600; an image of 4096 is 200 MB as floats."""
FEATURES, LOGITS, PROBABILITIES = OUTPUTS = ("features", "logits", "probabilities")
"""Kinds of network outputs, which are also their names in signatures and in the IR."""


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """The properties of a SavedModel that are needed to prepare its input and to interpret its output."""

    image_size: tuple[int, int] = (224, 224)
    """Height and width in pixels."""
    pixel_scaling_method: str = "normalize"
    """How pixels 0…255 are scaled to the network's input range; one of `PIXEL_SCALING_METHODS`."""
    finetuned: bool = False
    signature: str | None = None
    output_key: str | None = None
    resize_method: str = "bilinear"
    imaging_version: int = 1
    """Version of `imaging` whose pixels the model was trained on; 1, the first, was not recorded."""
    binary_mode: bool = False
    output: str | None = None
    """One of `OUTPUTS`; None when it is not recorded."""
    model_id: str | None = None
    source: str | None = None
    licence: str | None = None
    sha256: str | None = None
    """Digest of the SavedModel's folder, see `artifact_checksums.folder_sha256`."""
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    """A backbone's own defaults, or the values of the job that fine-tuned the model."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """All other recorded entries by key."""

    def load_pixels(self, content: bytes) -> "NDArray[np.uint8]":
        """Decode an image file to the pixels that the model takes: upright RGB, (height, width, 3) of `image_size`.

        Raises:
            ImageRejected: The image is corrupt or too large.
            PlatformError: There is not enough memory for it.
        """
        return imaging.load_pixels(content, self.image_size, self.resize_method, version=self.imaging_version)


def read_model_info(folder: Path) -> ModelInfo:
    """Read the model info of a folder; keys are case-insensitive, defaults are those of the built-in algorithm.

    Raises:
        UserError: The file is not a JSON object, or a value is invalid.
    """
    for name in MODEL_INFO_NAMES:
        if (folder / name).is_file():
            return parse_model_info(artifact_json.read(folder / name), where=str(folder / name))
    return ModelInfo()


def model_info_json(folder: Path) -> dict[str, Any]:
    """Return the model info of a folder as it is written there; empty without one.

    Raises:
        UserError: The file is not a JSON object.
    """
    path = next((folder / name for name in MODEL_INFO_NAMES if (folder / name).is_file()), None)
    found = artifact_json.read(path) if path else {}
    artifact_json.reject_unless_object(found, str(path))
    return dict(found)


def unrecorded(folder: Path) -> list[str]:
    """Return which of image_size and pixel_scaling_method the model info of a folder does not record.

    Raises:
        UserError: The model info is not valid JSON.
    """
    found: Any = next((artifact_json.read(folder / name) for name in MODEL_INFO_NAMES if (folder / name).is_file()), {})
    recorded = {key.lower() for key, value in found.items() if value is not None} if isinstance(found, dict) else set()
    return [key for key in ("image_size", "pixel_scaling_method") if key not in recorded]


def parse_model_info(found: Any, where: str) -> ModelInfo:
    """Validate a decoded model info; `where` is its location, for errors.

    Raises:
        UserError: It is not an object, or a value is invalid.
    """
    artifact_json.reject_unless_object(found, where)
    # An earlier version recorded addresses with their secrets.
    found = _without_secrets(found)
    known = {f.name for f in fields(ModelInfo)} - {"extra"}
    given = {key.lower(): value for key, value in found.items() if key.lower() in known}
    values = artifact_json.typed(given, where)
    values["extra"] = {key: value for key, value in found.items() if key.lower() not in known}
    if values.get("image_size") is not None:
        values["image_size"] = _image_size(values["image_size"], where)
    else:
        values.pop("image_size", None)
    for key, allowed in (
        ("pixel_scaling_method", PIXEL_SCALING_METHODS),
        ("output", (None, *OUTPUTS)),
        ("imaging_version", imaging_versions.VERSIONS),
    ):
        if key in values and values[key] not in allowed:
            raise UserError(f"{where}: {key} is {values[key]!r}; allowed: {', '.join(map(str, allowed))}.")
    return ModelInfo(**values)


def _image_size(value: Any, where: str) -> tuple[int, int]:
    sides = [value, value] if isinstance(value, int) else value
    if not isinstance(sides, list | tuple) or len(sides) < 2 or not all(_is_side(side) for side in sides[:2]):
        raise UserError(
            f"{where}: image_size is {value!r}; expected [height, width] in pixels, 1 to {LARGEST_SIDE} each."
        )
    return int(sides[0]), int(sides[1])


def _is_side(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LARGEST_SIDE


def write_model_info(folder: Path, info: ModelInfo) -> None:
    """Write the model info; `extra` is merged with the named keys, and secrets are removed from addresses."""
    named = {f.name: getattr(info, f.name) for f in fields(info) if f.name != "extra"}
    durable_files.write_json(folder / MODEL_INFO_FILE, _without_secrets({**named, **info.extra}))


def _without_secrets(value: Any) -> Any:
    """Return a JSON value with user info, query and fragment removed from its addresses; keys stay unchanged."""
    if isinstance(value, str):
        return addresses.without_secrets(value) if "://" in value else value
    if isinstance(value, Mapping):
        return {name: _without_secrets(each) for name, each in value.items()}
    return [_without_secrets(each) for each in value] if isinstance(value, list | tuple) else value


def read_labels(folder: Path) -> tuple[str, ...]:
    """Read the class names in index order.

    Raises:
        UserError: There is no label file, or it does not contain a list of names.
    """
    path = folder / LABELS_FILE
    if path.is_file():
        found = artifact_json.read(path)
        names = found.get("labels") if isinstance(found, dict) else found
    elif (folder / CLASS_INDEX_FILE).is_file():
        path = folder / CLASS_INDEX_FILE
        found = artifact_json.read(path)
        names = artifact_json.names_by_index(found)
    else:
        raise UserError(
            f"{folder} has no {LABELS_FILE}, so the classes have no names. "
            f'Add one: {{"labels": ["first class", "second class"]}}, in index order.'
        )
    if not isinstance(names, list) or not names or not all(map(_is_text, names)):
        expected = (
            '{"labels": [names in index order]}' if path.name == LABELS_FILE else "each name with its index from 0"
        )
        raise UserError(f"{path} must contain {expected}, got {str(found)[:80]}.")
    return tuple(names)


def _is_text(name: object) -> bool:
    # JSON can contain a lone surrogate ("\\ud83c"), which a response in UTF-8 cannot.
    return isinstance(name, str) and is_utf8(name)


def write_labels(folder: Path, labels: Sequence[str]) -> None:
    """Write both label files: names in index order, and the index of each name."""
    durable_files.write_json(folder / LABELS_FILE, {"labels": list(labels)})
    durable_files.write_json(folder / CLASS_INDEX_FILE, {name: index for index, name in enumerate(labels)})


def saved_model_folder(folder: Path) -> Path:
    """Find the SavedModel of a model folder: the highest version, such as `2/`, else the only folder that holds one.

    Raises:
        UserError: There is no SavedModel, or there are several without version numbers.
    """
    if versions := version_folders(folder):
        return versions[-1]
    if not folder.is_dir():
        raise UserError(f"The model folder {folder} does not exist. A training job writes one to /opt/ml/model.")
    found = sorted(path.parent for path in model_files(folder) if path.name == SAVED_MODEL_FILE)
    if len(found) == 1:
        return found[0]
    if not found:
        content = ", ".join(sorted(path.name for path in folder.iterdir())[:10])
        others = f", only {content}" if content else "; it is empty"
        raise UserError(f"{folder} contains no SavedModel (saved_model.pb){others}. Expected one under 1/.")
    names = ", ".join(str(path.relative_to(folder)) for path in found[:5])
    raise UserError(f"{folder} contains several SavedModels ({names}), none of them under 1/. Keep one of them.")


def version_folders(folder: Path) -> list[Path]:
    """Return the SavedModels in numbered folders, TensorFlow Serving's versions, in numerical order."""
    found = [path.parent for path in folder.glob(f"*/{SAVED_MODEL_FILE}") if path.is_file()]
    return sorted((path for path in found if _VERSION.fullmatch(path.name)), key=lambda path: int(path.name))


def model_files(folder: Path) -> list[Path]:
    """Return a folder's files at any depth, sorted, without those of operating systems: `.DS_Store`, `._weights`."""

    def is_content(path: Path) -> bool:
        return path.is_file() and not any(map(is_system_name, path.relative_to(folder).parts))

    return sorted(filter(is_content, folder.rglob("*")))
