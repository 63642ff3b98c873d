"""The content of `model_card.json` in the simplified schema that SageMaker's model registry takes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from image_classifier.contract import report_files
from image_classifier.contract.errors import UserError
from image_classifier.evaluation import model_card

_KEPT = ("model_creator", "model_artifact")
"""Of `model_overview`: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ModelPackageModelCard.html."""
_OVERVIEW, _MORE, _DETAILS = "model_overview", "additional_information", "custom_details"


def read(folder: Path, artefact: str) -> str:
    """Return the content for the version of an artefact as JSON on one line; empty if the folder has no model card.

    Raises:
        UserError: The file is not a model card, or is longer than SageMaker accepts.
    """
    path = folder / report_files.MODEL_CARD
    if not path.is_file():
        return ""
    try:
        found = json.loads(path.read_bytes())
        text = json.dumps(content(found, artefact), ensure_ascii=False)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is not a model card, which is a JSON object: {error}.") from error
    if len(text) > model_card.MAX_LENGTH:
        raise UserError(
            f"{path} has {len(text):,} characters as a model card, and SageMaker accepts {model_card.MAX_LENGTH:,}. "
            "Shorten its charts or texts."
        )
    return text


def content(card: Mapping[str, Any], artefact: str) -> dict[str, Any]:
    """Return a model card whose overview names creator and artefact alone; the rest of the overview becomes details."""
    overview = card.get(_OVERVIEW, {})
    kept = {name: overview[name] for name in _KEPT if name in overview}
    moved = {name: str(value) for name, value in overview.items() if name not in _KEPT}
    more = card.get(_MORE, {})
    others = {name: part for name, part in card.items() if name not in (_OVERVIEW, _MORE, "model_package_details")}
    return {
        _OVERVIEW: {**kept, "model_artifact": [artefact]},
        **others,
        _MORE: {**more, _DETAILS: {**moved, **more.get(_DETAILS, {})}},
    }
