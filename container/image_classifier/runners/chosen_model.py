"""The model that a local job starts from: an id, a short name, an archive or a folder; contradictions are errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from image_classifier.contract import contradictions, hyperparameters
from image_classifier.contract.errors import UserError
from image_classifier.model_hub import catalogue, packages

DEFAULT = "lite0"
"""EfficientNet-Lite0, which installs from a package."""


@dataclass(frozen=True)
class ChosenModel:
    """The checked request of the user; nothing is fetched yet."""

    path: Path | None = None
    """An archive or a folder."""
    model_id: str | None = None
    """Of the catalogue, or a short name, to be staged."""
    note: str | None = None
    """A remark for the user."""

    def fetch(self) -> Path | None:
        """Return the archive or folder; stage a model that was named by its id, once. None: the job fetches it itself.

        Raises:
            ExplainedError: The model cannot be fetched.
        """
        if self.note:
            print(self.note, flush=True)
        if self.model_id is None:
            return self.path
        # Here: with its downloads it takes a tenth of a second, and most models are staged already.
        from image_classifier.model_hub import staging

        model = catalogue.find(self.model_id)
        archive = archive_of(model)
        # A packaged model is checked and copied quickly; any other may have gigabytes.
        if archive.is_file() and model.package is None:
            return archive
        return staging.stage(self.model_id, archive)


def archive_of(model: catalogue.CatalogueModel) -> Path:
    """Return where a model of the catalogue is staged on this machine, whether it is yet or not."""
    return packages.cache_folder() / f"{model.package or model.model_id}.tar.gz"


def choose(named: str | None, settings: Mapping[str, str]) -> ChosenModel:
    """Decide by `--model` and the hyperparameters `model_id` and `model_uri`.

    Raises:
        UserError: Two of them name different models, `named` is neither in the catalogue nor on the disk, or a
            hyperparameter is invalid.
    """
    values = hyperparameters.parse(dict(settings)).values
    model_id, model_uri = values.model_id, values.model_uri
    if model_uri and (named or model_id):
        other = f"--model {named}" if named else f"model_id={model_id}"
        raise UserError(f"{other} and model_uri={model_uri} both name a model to start from. Give one of them.")
    if model_id == contradictions.MODEL_ID_AUTO and named:
        raise UserError(
            f"--model {named} names a model, and model_id=auto leaves the choice to the job. Give one of them."
        )
    if model_uri or model_id == contradictions.MODEL_ID_AUTO:
        return ChosenModel()
    if named is None:
        note = None if model_id else "No --model given; using EfficientNet-Lite0."
        return ChosenModel(model_id=catalogue.find(model_id or DEFAULT).model_id, note=note)
    if Path(named).exists():
        if model_id:
            raise UserError(
                f"--model {named} is a file or folder, and model_id={model_id} names a model of the catalogue. Give "
                "one of them."
            )
        return ChosenModel(path=Path(named))
    found = _of_catalogue(named)
    if model_id and catalogue.find(model_id) != found:
        raise UserError(f"--model {named} and model_id={model_id} name different models. Give one of them.")
    return ChosenModel(model_id=found.model_id)


def _of_catalogue(named: str) -> catalogue.CatalogueModel:
    try:
        return catalogue.find(named)
    except UserError as error:
        raise UserError(
            f"--model is {named}: neither a file or folder that exists, nor a model of the catalogue. {error}"
        ) from None
