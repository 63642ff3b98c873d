"""The Models screen: the catalogue, what is staged, and speed on this machine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from image_classifier.console import context, links
from image_classifier.console.catalogue import availability, facts, listing
from image_classifier.console.catalogue.speed import Speeds
from image_classifier.console.rejection import not_found
from image_classifier.contract.errors import UserError
from image_classifier.model_hub import catalogue
from image_classifier.model_hub.catalogue import CatalogueModel
from image_classifier.resources import processors

MOST_COMPARED = 4
"""Models side by side, which is what fits on a screen."""
blueprint = Blueprint("models", __name__)


@blueprint.get("/models")
def main() -> str:
    """Show the models that the address asks for."""
    query = listing.Query.of(request.args)
    found = listing.find(query, _speeds())
    return render_template(
        "models/main.html.j2",
        found=found,
        query=query,
        total=len(catalogue.MODELS),
        families=catalogue.FAMILIES,
        sizes=listing.SIZES,
        licences=listing.LICENCES,
        columns=facts.COLUMNS,
        most_compared=MOST_COMPARED,
    )


@blueprint.get("/models/compare")
def compare() -> str:
    """Show some models side by side."""
    models = [_model(name) for name in dict.fromkeys(request.args.getlist("model"))]
    if not 2 <= len(models) <= MOST_COMPARED:
        raise UserError(
            f"{len(models)} models were chosen; compare 2 to {MOST_COMPARED} of them. Go back and tick their boxes."
        )
    rows = [listing.row(model, _speeds()) for model in models]
    return render_template("models/compare.html.j2", rows=rows, table=facts.compared(rows))


@blueprint.get("/models/<model_id>")
def one(model_id: str) -> str:
    """Show one model: facts, defaults, where it is, its speed here."""
    model, speeds = _model(model_id), _speeds()
    return render_template("models/one.html.j2", **_described(model, speeds))


@blueprint.post("/models/<model_id>/stage")
def stage(model_id: str) -> Response:
    """Stage a model in the background."""
    model = _model(model_id)
    availability.stage(_stagings(), model)
    return links.see("models.one", model_id=model.short_name, _anchor="here")


@blueprint.post("/models/<model_id>/measure")
def measure(model_id: str) -> Response:
    """Measure a staged model's speed in the background."""
    model = _model(model_id)
    _speeds().measure(model)
    return links.see("models.one", model_id=model.short_name, _anchor="here")


def _described(model: CatalogueModel, speeds: Speeds) -> Mapping[str, Any]:
    row = listing.row(model, speeds)
    return {
        "row": row,
        "facts": facts.about(row),
        "defaults": facts.defaults(model),
        "staging": availability.staging(_stagings(), model),
        "measuring": speeds.measuring(model),
        "processor": processors.name(),
    }


def _model(name: str) -> CatalogueModel:
    try:
        return catalogue.find(name)
    except UserError as error:
        raise not_found(f"Model {name[:100]!r}", f"{error} Choose one in the list of models.") from error


def _stagings() -> Path:
    return context.current().cache / "staging"


def _speeds() -> Speeds:
    return Speeds(context.current().cache / "speeds")
