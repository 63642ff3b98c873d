"""Checks of a model folder that take milliseconds and need neither NumPy nor a loaded model."""

from pathlib import Path

from image_classifier import artifacts
from image_classifier.contract.errors import UserError


def check_layout(folder: Path) -> None:
    """Check a model folder without loading the model.

    Raises:
        UserError: A file that serving needs is missing or corrupt, or the model is a backbone without classes.
    """
    saved_model = artifacts.saved_model_folder(folder)
    info = artifacts.read_model_info(folder)
    if info.output == artifacts.FEATURES:
        raise UserError(
            f"{folder} is a backbone: it returns features, not classes. Fine-tune it, or stage it with "
            "scripts/stage-backbone --with-head."
        )
    artifacts.read_labels(folder)
    variables = saved_model / "variables"
    if variables.is_dir() and not (variables / "variables.index").is_file():
        raise UserError(f"{variables} lacks variables.index, so the model has no weights. Copy the model again.")
