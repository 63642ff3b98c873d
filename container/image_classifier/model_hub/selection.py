"""Select and order models of the catalogue, as the command that lists them and the console do."""

import math
from collections.abc import Iterable

from image_classifier.contract.errors import UserError
from image_classifier.model_hub import catalogue, large_models
from image_classifier.model_hub.catalogue import CatalogueModel
from image_classifier.model_hub.measured import MEASURED


def select(family: str | None = None, search: str = "") -> list[CatalogueModel]:
    """Return the models of a family, in any case, whose id, short name, handles or notes have every word of `search`.

    Raises:
        UserError: Unknown family; the message lists all of them.
    """
    if family is not None and family.lower() not in map(str.lower, catalogue.FAMILIES):
        raise UserError(f"--family is {family!r}; allowed: {', '.join(catalogue.FAMILIES)}.")
    models = catalogue.MODELS.values()
    of_family = (model for model in models if family is None or model.family.lower() == family.lower())
    return [model for model in of_family if all(word in _text(model) for word in search.lower().split())]


def _text(model: CatalogueModel) -> str:
    handles = (*model.feature_vector_handles, *model.classifier_handles)
    return " ".join((model.model_id, model.family, model.short_name, *handles, model.notes)).lower()


def by_speed(models: Iterable[CatalogueModel]) -> list[CatalogueModel]:
    """Sort the fastest first; models without a measurement come last, those with the least work per image first."""

    def key(model: CatalogueModel) -> tuple[float, float]:
        measured = MEASURED.get(model.model_id)
        work = large_models.weight(model.parameters, model.image_size) if model.parameters else math.inf
        return -measured.images_per_second if measured else math.inf, work

    return sorted(models, key=key)
