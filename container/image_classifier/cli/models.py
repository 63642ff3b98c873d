"""Tell what the catalogue knows: the models that fit, or all of one, as text or as JSON."""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from image_classifier.contract.errors import ExplainedError, UserError, report_and_exit_code
from image_classifier.model_hub import catalogue
from image_classifier.model_hub.catalogue import CatalogueModel

IMAGES: Mapping[str, str] = {
    "train_on_gpu": "image-classifier:gpu",
    "train_on_cpu": "image-classifier:cpu",
    "serve_on_gpu": "image-classifier:gpu",
    "serve_on_cpu": "image-classifier:serve",
}
"""What scripts/build calls its targets; scripts/publish prints the URI in ECR."""
GPU_INSTANCES = ("ml.g4dn", "ml.g5", "ml.p3")
"""Named by the developer guide. It names ml.p2 as well, whose GPU is older than what CUDA 12 knows."""
_SCALINGS = {
    "normalize": "0...255 becomes 0...1",
    "center": "0...255 becomes -1...1",
    "standardize_on_imagenet": "0...255 becomes 0...1, then minus ImageNet's mean, over its deviation",
}


def chosen(family: str | None = None, search: str = "") -> list[CatalogueModel]:
    """Return the models of a family, in any case, that have every word of `search` in what is listed of them.

    Raises:
        UserError: There is no such family; the message names all.
    """
    if family is not None and family.lower() not in map(str.lower, catalogue.FAMILIES):
        raise UserError(f"--family is {family!r}; allowed: {', '.join(catalogue.FAMILIES)}.")
    models = catalogue.MODELS.values()
    of_family = (model for model in models if family is None or model.family.lower() == family.lower())
    return [model for model in of_family if all(word in _text(model) for word in search.lower().split())]


def _text(model: CatalogueModel) -> str:
    handles = (*model.feature_vector_handles, *model.classifier_handles)
    return " ".join((model.model_id, model.family, model.short_name or "", *handles, model.notes)).lower()


def as_json(model: CatalogueModel) -> dict[str, Any]:
    """Return all of a model in JSON's types; `hyperparameters` are complete, as `hyperparameters.json` has them."""
    return {
        "model_id": model.model_id,
        "model_version": catalogue.ANY_VERSION,
        "short_name": model.short_name,
        "family": model.family,
        "image_size": list(model.image_size),
        "size_source": model.size_source,
        "pixel_scaling": model.pixel_scaling_method,
        "parameters": model.parameters,
        "parameters_source": model.parameters_source,
        "licence": model.licence,
        "feature_vector_handles": list(model.feature_vector_handles),
        "classifier_handles": list(model.classifier_handles),
        "in_developer_guide": model.in_aws_docs,
        "tf1_format": model.tf1_format,
        "notes": model.notes,
        "hyperparameters": dict(model.training_defaults),
        "own_hyperparameters": dict(model.hyperparameters),
        "stage": stage_command(model),
        "stage_with_head": stage_command(model, with_head=True),
        "images": dict(IMAGES),
        "gpu_instances": list(GPU_INSTANCES),
    }


def stage_command(model: CatalogueModel, with_head: bool = False) -> str:
    """Return the command that makes the archive of a model: its features to train on, or with its head to serve."""
    name = model.short_name or model.model_id
    head, ending = (" --with-head", "-with-head") if with_head else ("", "")
    return f"scripts/stage-backbone {model.model_id} --output run/{name}{ending}.tar.gz{head}"


def listing(models: Sequence[CatalogueModel]) -> str:
    """Return a line for each model: id, size, scaling, parameters, and what large ones train with."""
    rows = [
        (
            model.model_id,
            _size(model),
            model.pixel_scaling_method,
            _millions(model.parameters),
            ", ".join(f"{name}={value}" for name, value in model.hyperparameters.items()),
        )
        for model in models
    ]
    shown = _columns([("model_id", "size", "pixel_scaling", "parameters", "other defaults"), *rows]) if rows else ""
    return f"{shown}{len(rows)} of {len(catalogue.MODELS)} models. scripts/models show ID tells all about one.\n"


def description(model: CatalogueModel) -> str:
    """Return all of a model as text, a line each."""
    first, *others = model.feature_vector_handles
    classifier, *other_classifiers = model.classifier_handles
    rows = [
        ("model_id", model.model_id + (f" (short: {model.short_name})" if model.short_name else "")),
        ("model_version", f"{catalogue.ANY_VERSION} (there is one version)"),
        ("in the guide", "yes" if model.in_aws_docs else "no: in the SDK's list alone"),
        ("family", model.family),
        ("image size", f"{_size(model)}: {model.size_source}"),
        ("pixel scaling", f"{model.pixel_scaling_method}: {_SCALINGS[model.pixel_scaling_method]}"),
        ("parameters", f"{_millions(model.parameters)} without the head, {model.parameters_source}"),
        ("licence", model.licence or "nobody says"),
        ("feature vector", first),
        *(("", f"or {handle}") for handle in others),
        ("classifier", classifier),
        *(("", f"or {handle}") for handle in other_classifiers),
        *([("note", model.notes)] if model.notes else []),
        ("stage to train", stage_command(model)),
        ("stage to serve", stage_command(model, with_head=True)),
        ("image to train", f"{IMAGES['train_on_gpu']} on {', '.join(GPU_INSTANCES)}; {IMAGES['train_on_cpu']} on CPU"),
        ("image to serve", f"{IMAGES['serve_on_cpu']} on CPU; {IMAGES['serve_on_gpu']} on GPU"),
        ("script", "none: the image trains by its own program"),
    ]
    return _columns(rows) + "\nTrains with, unless told otherwise:\n" + _columns(_defaults(model))


def _defaults(model: CatalogueModel) -> list[tuple[str, str]]:
    own = model.hyperparameters
    return [
        (f"  {name}", value + (" (the model's default)" if name in own else ""))
        for name, value in model.training_defaults.items()
    ]


def _size(model: CatalogueModel) -> str:
    height, width = model.image_size
    return f"{height} x {width}"


def _millions(parameters: int | None) -> str:
    return "unknown" if parameters is None else f"{parameters / 1e6:.3g} M"


def _columns(rows: Iterable[Sequence[str]]) -> str:
    table = list(rows)
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/models",
        description="List the models that can be named by their id, or show all of one.",
        epilog="scripts/models show ID [--json] shows one: handles, size, scaling, defaults, how to stage it, images."
        "\n\n"
        "examples:\n  scripts/models --family MobileNet-V3\n  scripts/models show lite0",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--family", help=f"one of {', '.join(catalogue.FAMILIES)}")
    parser.add_argument("--search", default="", metavar="TEXT", help="words that must all be in id, handles or notes")
    parser.add_argument("--json", action="store_true", help="a list with all of each model")
    one = parser.add_subparsers(dest="verb", metavar="show ID").add_parser("show", help="all of one model")
    one.add_argument("model_id", metavar="ID", help="its id, or a short name such as lite0")
    one.add_argument("--model-version", default=catalogue.ANY_VERSION, help='"*", as the SDK says; there is one')
    # Written before or after the verb, --json means the same.
    one.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="all of it as one JSON object")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scripts/models`."""
    given = _parser().parse_args(arguments)
    try:
        if given.verb:
            model = catalogue.find(given.model_id, given.model_version)
            text = json.dumps(as_json(model), indent=2) + "\n" if given.json else description(model)
        else:
            models = chosen(given.family, given.search)
            text = json.dumps([as_json(model) for model in models], indent=2) + "\n" if given.json else listing(models)
    except ExplainedError as error:
        return report_and_exit_code(error)
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
