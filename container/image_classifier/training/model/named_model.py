"""The hyperparameter model_id must match the model that the job got."""

from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.model_hub import catalogue


def reject_another(info: ModelInfo, model_id: str) -> None:
    """Check that the model is the one that `model_id` names, if it is set and the model info has an id.

    Raises:
        UserError: It is another model.
    """
    if not model_id or not info.model_id or _plain(info.model_id) == _plain(model_id):
        return
    raise UserError(
        f"model_id is {model_id}, but the model of this job is {info.model_id}. Omit model_id, or use the archive that "
        f"scripts/stage-backbone {model_id} creates as the model channel."
    )


def _plain(model_id: str) -> str:
    given = model_id.strip().lower()
    return catalogue.SHORT_NAMES.get(given, given)
