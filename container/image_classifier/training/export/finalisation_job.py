"""What the finalisation gets of a job."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from image_classifier.contract.hyperparameters import ResolvedHyperparameters
from image_classifier.contract.opt_ml import OptMl
from image_classifier.training.data import splits
from image_classifier.training.export.early_traits import TraitReader
from image_classifier.training.export.quantiser import Quantiser
from image_classifier.training.trained import Trained


@dataclass(frozen=True)
class Job:
    """Inputs of the finalisation."""

    opt_ml: OptMl
    settings: ResolvedHyperparameters
    data: splits.DataSplits
    trained: Trained
    metrics: Mapping[str, Any]
    """Contents of `metrics.json`."""
    calibration: Mapping[str, Any] = field(default_factory=dict)
    """Record of the calibration for the model info; empty without it."""
    traits: TraitReader | None = None
    """Reads what the report needs of the images; None: the report reads it."""
    quantiser: Quantiser | None = None
    """Of `export_and_verify`, which starts it; None without quantization=auto."""

    @property
    def recipe_entry(self) -> dict[str, Any]:
        """What the recipe measured and chose, under its key; empty without one."""
        return {"recipe": dict(self.trained.recipe)} if self.trained.recipe else {}
