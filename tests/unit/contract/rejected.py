"""What a message of rejected hyperparameters says."""

from typing import Any

import pytest

from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import parse


def problems(given: dict[str, Any], model_defaults: dict[str, Any] | None = None) -> str:
    """Return the message with which the hyperparameters are rejected."""
    with pytest.raises(UserError) as rejected:
        parse(given, model_defaults or {})
    return str(rejected.value)
