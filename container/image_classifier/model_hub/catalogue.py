"""The 136 models of the built-in algorithm: their handles, sizes, scaling and defaults, read from catalogue.csv.

The ids are those of the developer guide and of the SageMaker SDK. An id is looked up, never taken apart: neither the
number at its end nor its words are those of the handle. Short names are for people and leave out what ids share.
"""

import csv
import difflib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import DECLARATIONS
from image_classifier.contract.value_forms import encode
from image_classifier.model_hub import large_models

DATA = Path(__file__).with_name("catalogue.csv")
PACKAGED: Mapping[str, str] = MappingProxyType(
    {
        "lite0": "tensorflow-ic-efficientnet-lite0-classification-2",
        "mobilenetv2-160": "tensorflow-ic-imagenet-mobilenet-v2-100-160",
    }
)
"""Model ids of the models that install from a Python package, by their names there."""
RECOMMENDED = PACKAGED["lite0"]
"""The model to begin with: small, fast on a CPU, and available without TensorFlow Hub."""
ANY_VERSION = "*"
_HARDLY_DIFFERENT = 0.6
_SHOWN = 100
"""Characters of a wrong name that a message repeats."""


@dataclass(frozen=True, kw_only=True)
class CatalogueModel:
    """What is known of a model before it is fetched."""

    model_id: str
    family: str
    image_size: tuple[int, int]
    """Height and width in pixels."""
    size_source: str
    """Source of the image size."""
    pixel_scaling_method: str
    """One of `artifacts.PIXEL_SCALING_METHODS`."""
    classifier_handles: tuple[str, ...]
    """The first is fetched; others are what the guide prints where the SDK has another."""
    feature_vector_handles: tuple[str, ...]
    parameters: int | None
    """Of the feature vector, to three digits; None where it is not published."""
    parameters_source: str
    licence: str | None
    in_aws_docs: bool
    """Whether the developer guide lists it; the others are in the SDK's list alone."""
    tf1_format: bool
    """Whether it is a module of TensorFlow 1 on the Hub, of which the head alone can be trained."""
    notes: str

    @property
    def hyperparameters(self) -> Mapping[str, str]:
        """Return the model's own defaults as text, only those that differ from the declarations."""
        # From its package a model has TensorFlow 2's format, and that is where it comes from unless told otherwise.
        head_only = {"train_only_top_layer": "True"} if self.tf1_format and not self.package else {}
        return MappingProxyType({**head_only, **large_models.defaults(self.parameters, self.image_size)})

    @property
    def training_defaults(self) -> Mapping[str, str]:
        """Return every hyperparameter that a job of this model trains with when nothing is given, as text.

        Those whose default is not text at all, such as where to find the model, are left out.
        """
        ours = {item.name: encode(item.default) for item in DECLARATIONS if item.default != ""}
        return MappingProxyType({**ours, **self.hyperparameters})

    @property
    def package(self) -> str | None:
        """Return the name in `PACKAGED`; None for a model that no package ships."""
        return next((name for name, model_id in PACKAGED.items() if model_id == self.model_id), None)

    @property
    def short_name(self) -> str:
        """Return the shortest name that `find` accepts."""
        return min((name for name, model_id in SHORT_NAMES.items() if model_id == self.model_id), key=len)


def read(lines: Iterable[str]) -> Mapping[str, CatalogueModel]:
    """Return the models of a CSV in the order of its lines, by id."""
    return MappingProxyType({row["model_id"]: _model(row) for row in csv.DictReader(lines)})


def _model(row: Mapping[str, str]) -> CatalogueModel:
    height, _, width = row["image_size"].partition("x")
    return CatalogueModel(
        model_id=row["model_id"],
        family=row["family"],
        image_size=(int(height), int(width or height)),
        size_source=row["size_source"],
        pixel_scaling_method=row["pixel_scaling_method"],
        classifier_handles=tuple(row["classifier_handles"].split()),
        feature_vector_handles=tuple(row["feature_vector_handles"].split()),
        parameters=int(row["parameters"]) if row["parameters"] else None,
        parameters_source=row["parameters_source"],
        licence=row["licence"] or None,
        in_aws_docs=row["in_aws_docs"] == "yes",
        tf1_format=row["tf1_format"] == "yes",
        notes=row["notes"],
    )


MODELS: Mapping[str, CatalogueModel] = read(DATA.read_text(encoding="utf-8").splitlines())


def _short_names(model_ids: Iterable[str]) -> dict[str, str]:
    """Return each id by what it does not share with the others: `efficientnet-b0`, `mobilenet-v2-100-224`."""
    plain = {each: re.sub(r"^tensorflow-ic-|-classification-\d+$", "", each) for each in model_ids}
    counts = Counter(name.removeprefix("imagenet-") for name in plain.values())
    names = {}
    for model_id, name in plain.items():
        shortest = name.removeprefix("imagenet-")
        names[shortest if counts[shortest] == 1 else name] = model_id
    return names


SHORT_NAMES: Mapping[str, str] = MappingProxyType({**_short_names(MODELS), **PACKAGED})
"""Model ids by their short names; a packaged model also has its name in the package."""
FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(model.family for model in MODELS.values()))


def find(model_id: str, model_version: str = ANY_VERSION) -> CatalogueModel:
    """Return the model with this id or short name, in any case.

    Raises:
        UserError: The catalogue has no such model, with the closest names; or `model_version` is not "*", the only one.
    """
    plain = model_id.strip().lower()
    model = MODELS.get(SHORT_NAMES.get(plain, plain))
    if model is None:
        raise UserError(
            f"The catalogue has no model {model_id[:_SHOWN]!r}. {_closest(plain)}"
            f"scripts/models lists all {len(MODELS)}."
        )
    if model_version.strip() != ANY_VERSION:
        raise UserError(
            f"model_version is {model_version[:_SHOWN]!r}; the catalogue has one version of each model. "
            f'Give "{ANY_VERSION}", or leave it out.'
        )
    return model


def _closest(plain: str) -> str:
    names = [model.short_name for model in MODELS.values()]
    if plain.startswith("tensorflow-ic-"):
        names = list(MODELS)
    near = [name for name in names if plain and plain in name][:3]
    near = near or difflib.get_close_matches(plain, names, n=3, cutoff=_HARDLY_DIFFERENT)
    return f"Did you mean {', '.join(near)}? " if near else ""
