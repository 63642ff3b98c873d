"""What can be said of a model folder before it is loaded, in milliseconds and without NumPy."""

from pathlib import Path

from image_classifier import artifacts
from image_classifier.contract.errors import UserError


def check_layout(folder: Path) -> None:
    """Check what can be checked of a model folder without loading it.

    Raises:
        UserError: A file that serving needs is missing or broken, or the model is a backbone without classes.
    """
    saved_model = artifacts.saved_model_folder(folder)
    info = artifacts.read_model_info(folder)
    if info.output == artifacts.FEATURES:
        raise UserError(
            f"{folder} is a backbone: it answers features, not classes. Train a head on it, or stage it with "
            "scripts/stage-backbone --with-head."
        )
    artifacts.read_labels(folder)
    variables = saved_model / "variables"
    if variables.is_dir() and not (variables / "variables.index").is_file():
        raise UserError(f"{variables} has no variables.index, so the model's weights are missing. Copy it again.")
