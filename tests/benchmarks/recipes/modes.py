"""The modes that are compared, by their hyperparameters."""

from collections.abc import Mapping
from typing import Any

MODES: Mapping[str, Mapping[str, Any]] = {
    "builtin head": {"train_only_top_layer": True},
    "builtin whole": {},
    "hand-tuned head": {"train_only_top_layer": True, "epochs": 40, "learning_rate": 0.003},
    "auto": {"recipe": "auto"},
    "search": {"recipe": "search"},
}
"""Everything else has its default."""
BASELINE = "builtin head"
