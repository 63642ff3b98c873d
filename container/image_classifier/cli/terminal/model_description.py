"""One model of the catalogue as text: what to know before training, and the commands that train, stage and serve it."""

import textwrap
from collections.abc import Mapping, Sequence

from image_classifier.cli.terminal import models_table
from image_classifier.model_hub import catalogue
from image_classifier.model_hub.catalogue import CatalogueModel
from image_classifier.model_hub.converters.table import MOBILENET_V2_160, PACKAGED_BACKBONES
from image_classifier.model_hub.measured import MEASURED

IMAGES: Mapping[str, str] = {
    "train_on_gpu": "image-classifier:gpu",
    "train_on_cpu": "image-classifier:cpu",
    "serve_on_gpu": "image-classifier:gpu",
    "serve_on_cpu": "image-classifier:serve",
}
"""The default names that scripts/build gives its targets; scripts/publish prints the URI in ECR."""
GPU_INSTANCES = ("ml.g4dn", "ml.g5", "ml.p3")
"""Instance types of the developer guide, without ml.p2, whose GPU is older than CUDA 12 supports."""
_SCALINGS = {
    "normalize": "0...255 becomes 0...1",
    "center": "0...255 becomes -1...1",
    "standardize_on_imagenet": "0...255 becomes 0...1, then minus ImageNet's mean, over its deviation",
}
_WITHOUT_HEAD = (MOBILENET_V2_160,)
"""Packages that ship no classification head."""
Rows = list[tuple[str, str]]


def stage_command(model: CatalogueModel, with_head: bool = False) -> str:
    """Return the command that makes the archive of a model: its features to train on, or with its head to serve."""
    head, ending = (" --with-head", "-with-head") if with_head else ("", "")
    # Only the Hub has the head of a model whose package ships none.
    origin = " --from hub" if with_head and model.package in _WITHOUT_HEAD else ""
    return f"scripts/stage-backbone {model.short_name} --output run/{model.short_name}{ending}.tar.gz{head}{origin}"


def text(model: CatalogueModel, width: int | None = None, everything: bool = False) -> str:
    """Return the description as lines that fit `width`, except for commands, which stay whole to be copied.

    `everything` adds sources, all handles and the hyperparameters that are the defaults.
    """
    rows = [*_facts(model), *_commands(model)]
    own = model.hyperparameters
    if not everything:
        rows.append(("trains with", models_table.own_defaults(model) or "the defaults of all models"))
        return f"{_aligned(rows, width)}\n\n--all adds handles, sources, images and every hyperparameter."
    every = [
        (f"  {name}", value + (" (the model's default)" if name in own else ""))
        for name, value in model.training_defaults.items()
    ]
    return (
        f"{_aligned([*rows, *_sources(model)], width)}\n\n"
        f"Trains with these values unless others are given:\n{_aligned(every, width)}"
    )


def _facts(model: CatalogueModel) -> Rows:
    measured = MEASURED.get(model.model_id)
    found = [
        ("model", model.short_name + (" (recommended)" if model.model_id == catalogue.RECOMMENDED else "")),
        ("model_id", model.model_id),
        ("image size", models_table.image_size(model)),
        ("parameters", f"{models_table.millions(model.parameters)} without the head"),
    ]
    if measured:
        speed = f"{measured.images_per_second:,.4g} images/s, {measured.serving_megabytes} MB"
        found += [
            ("serving", f"{speed} (OpenVINO, 2 CPUs)"),
            ("training", f"{measured.head_milliseconds:.3g} ms an image for the head alone (2 CPUs)"),
        ]
    else:
        found.append(("serving", "speed and memory were not measured"))
    if measured and measured.accuracy is not None:
        found.append(("accuracy", f"{measured.accuracy:.4f} on held-out solar cells, head alone"))
    package = (
        f"a Python package ({PACKAGED_BACKBONES[model.package].description})" if model.package else "TensorFlow Hub"
    )
    found += [("licence", model.licence or "unknown"), ("source", package)]
    return found + ([("note", model.notes)] if model.notes else [])


def _commands(model: CatalogueModel) -> Rows:
    return [
        ("train", f"scripts/train-locally --training DIR --model {model.short_name} train_only_top_layer=True"),
        ("stage to train", stage_command(model)),
        ("stage to serve", stage_command(model, with_head=True)),
    ]


def _sources(model: CatalogueModel) -> Rows:
    return [
        ("model_version", f"{catalogue.ANY_VERSION} (the only version)"),
        ("in the guide", "yes" if model.in_aws_docs else "no, in the SDK's list alone"),
        ("family", model.family),
        ("size from", model.size_source),
        ("pixel scaling", f"{model.pixel_scaling_method}: {_SCALINGS[model.pixel_scaling_method]}"),
        ("parameters from", model.parameters_source),
        *_handles("feature vector", model.feature_vector_handles),
        *_handles("classifier", model.classifier_handles),
        ("image to train", f"{IMAGES['train_on_gpu']} on {', '.join(GPU_INSTANCES)}; {IMAGES['train_on_cpu']} on CPU"),
        ("image to serve", f"{IMAGES['serve_on_cpu']} on CPU; {IMAGES['serve_on_gpu']} on GPU"),
        ("script", "none: the image trains with its own program"),
    ]


def _handles(kind: str, handles: Sequence[str]) -> Rows:
    first, *others = handles
    return [(kind, first), *(("", f"or {handle}") for handle in others)]


def _aligned(rows: Rows, width: int | None) -> str:
    indent = max(len(name) for name, _ in rows) + 2
    lines = []
    for name, value in rows:
        wrapped = [value]
        if width and not value.startswith("scripts/"):
            wrapped = textwrap.wrap(value, max(width - indent, 20), break_long_words=False, break_on_hyphens=False)
        lines.append(f"{name:<{indent}}{wrapped[0]}")
        lines += [" " * indent + more for more in wrapped[1:]]
    return "\n".join(lines)
