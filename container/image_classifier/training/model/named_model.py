"""A model that is named twice must be one model: the hyperparameter model_id and the model that a job got."""

from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError
from image_classifier.model_hub import catalogue


def reject_another(info: ModelInfo, model_id: str) -> None:
    """Make sure that the model of the channel is the one that `model_id` names; an empty `model_id` names none.

    A model whose info does not say which it is may be any.

    Raises:
        UserError: It is another one.
    """
    if not model_id or not info.model_id or _plain(info.model_id) == _plain(model_id):
        return
    raise UserError(
        f"model_id is {model_id}, and the model that this job got is {info.model_id}. Leave model_id out, or give the "
        f"model channel the archive that scripts/stage-backbone {model_id} makes."
    )


def _plain(model_id: str) -> str:
    given = model_id.strip().lower()
    return catalogue.SHORT_NAMES.get(given, given)
