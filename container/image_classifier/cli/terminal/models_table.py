"""The table of models that helps to choose one: fitted to the terminal, the fastest model first."""

from collections.abc import Callable, Sequence

from image_classifier.cli.terminal import fitted_table
from image_classifier.cli.terminal.fitted_table import Column, FittedTable
from image_classifier.model_hub import catalogue, selection
from image_classifier.model_hub.catalogue import CatalogueModel
from image_classifier.model_hub.measured import MEASURED, Measured

MARK = "*"
"""Begins the line of the recommended model."""
UNKNOWN = "-"
_MODEL_ID = "model_id"


def fitted(models: Sequence[CatalogueModel], width: int | None) -> FittedTable:
    """Return the table of the models, the fastest first, with the columns that fit `width`; None: all."""
    ordered = selection.by_speed(models)
    if not ordered:
        return FittedTable((), ())
    measured = [MEASURED.get(model.model_id) for model in ordered]

    def facts(title: str, importance: int, fact: Callable[[CatalogueModel], str], is_number: bool = False) -> Column:
        return Column(title, [fact(model) for model in ordered], importance, is_number)

    def figures(title: str, importance: int, figure: Callable[[Measured], float | None], form: str) -> Column:
        values = [found and figure(found) for found in measured]
        return Column(
            title, [UNKNOWN if value is None else format(value, form) for value in values], importance, is_number=True
        )

    columns = (
        facts("  model", 10, _marked_name),
        figures("images/s", 9, lambda found: _rounded(found.images_per_second), ",g"),
        figures("MB", 7, lambda found: found.serving_megabytes, ",d"),
        facts("size", 8, image_size, is_number=True),
        facts("params", 6, lambda model: millions(model.parameters), is_number=True),
        facts("source", 5, source),
        facts("licence", 4, lambda model: model.licence or UNKNOWN),
        figures("accuracy", 3, lambda found: found.accuracy, ".4f"),
        facts("own defaults", 1, lambda model: own_defaults(model) or UNKNOWN),
        facts(_MODEL_ID, 0, lambda model: model.model_id),
    )
    return fitted_table.fit(columns, width)


def footer(models: Sequence[CatalogueModel], left_out: Sequence[str]) -> list[str]:
    """Return the lines below the table: how many models, what the columns mean, and how to see what is not shown."""
    found = [f"{len(models)} of {len(catalogue.MODELS)} models; scripts/models show MODEL describes one."]
    if not models:
        return found
    recommended = catalogue.MODELS[catalogue.RECOMMENDED].short_name
    found += [
        f"{MARK} To begin with: {recommended}. --model, stage-backbone and show take these names.",
        "images/s, MB: one image at a time by OpenVINO on 2 CPUs; -: not measured.",
        "source: a package is fetched once from its index, then works offline.",
    ]
    if "accuracy" not in left_out:
        found.append("accuracy: on held-out solar cells (scripts/sample-data solar), head alone.")
    if left_out:
        found.append(f"Columns left out: {', '.join(left_out)}. --all shows them.")
    return found


def image_size(model: CatalogueModel) -> str:
    """Return height and width in pixels, such as 224x224."""
    height, width = model.image_size
    return f"{height}x{width}"


def millions(parameters: int | None) -> str:
    """Return a number of parameters such as 3.37 M."""
    return UNKNOWN if parameters is None else f"{parameters / 1e6:.3g} M"


def source(model: CatalogueModel) -> str:
    """Return where a model is staged from by default."""
    return "package" if model.package else "Hub"


def own_defaults(model: CatalogueModel) -> str:
    """Return the model's hyperparameters that differ from the declared defaults, as they are typed."""
    return " ".join(f"{name}={value}" for name, value in model.hyperparameters.items())


def _marked_name(model: CatalogueModel) -> str:
    return f"{MARK if model.model_id == catalogue.RECOMMENDED else ' '} {model.short_name}"


def _rounded(rate: float) -> float:
    return round(rate) if rate >= 20 else round(rate, 1)
