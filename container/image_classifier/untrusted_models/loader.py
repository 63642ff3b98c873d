"""The only place where a SavedModel is loaded, after its operations, links and checksum were checked."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from image_classifier import artifact_checksums, artifacts, tensorflow_start
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError, first_line
from image_classifier.untrusted_models import operations


def load_untrusted(saved_model: Path, trust: bool, info: ModelInfo | None = None, where: Path | None = None) -> Any:
    """Check a SavedModel and load it: a TensorFlow 2 object, or a TensorFlow 1 module's signatures and variables.

    Args:
        saved_model: The folder of saved_model.pb.
        trust: Accept every operation of this TensorFlow, and links. The checksum is verified in any case.
        info: Its model info, whose `sha256` the files must have; None if the caller has verified it.
        where: The backbone's folder, for messages of a training job.

    Raises:
        UserError: It is rejected, its checksum differs, it changed while it was loaded, or TensorFlow cannot load it.
    """
    tensorflow_start.start()
    with unchanged(saved_model):
        if not trust:
            _check_links(saved_model)
        operations.check(saved_model, trust)
        if info is not None and info.sha256 is not None:
            artifact_checksums.undamaged_sha256(saved_model, info, f"The model in {saved_model.parent}")
        try:
            return _loaded(saved_model)
        except Exception as error:  # TensorFlow raises any exception for a corrupt file
            what, remedy = ("SavedModel", "") if where is None else ("backbone", " Stage it again.")
            reason = first_line(error)
            raise UserError(f"The {what} in {where or saved_model} cannot be loaded: {reason}.{remedy}") from error


@contextlib.contextmanager
def unchanged(saved_model: Path) -> Iterator[None]:
    """Ensure that the files checked at the beginning of the block are those loaded at its end.

    Raises:
        UserError: A file of the SavedModel was replaced or modified.
    """
    before = _stamps(saved_model)
    yield
    if _stamps(saved_model) != before:
        raise UserError(f"{saved_model} changed while it was loaded. Copy the model again, then load it.")


def _loaded(saved_model: Path) -> Any:
    import tensorflow as tf

    is_module = (saved_model / "tfhub_module.pb").exists()
    # A TensorFlow 1 Hub module has a second graph for training; the one for inference has no tag.
    found = tf.saved_model.load(str(saved_model), tags=[] if is_module else None)
    if is_module:
        # The attribute that tensorflow_hub sets and hub.KerasLayer reads.
        found._is_hub_module_v1 = True
    return found


def keras_layer(loaded: Any, trainable: bool, options: Mapping[str, Any]) -> Any:
    """Return the `hub.KerasLayer` of a loaded model; a path is rejected, since it would be loaded unchecked.

    `options` are those of `hub.KerasLayer`; a model that is not callable needs `signature`.
    """
    import tensorflow_hub as hub

    if isinstance(loaded, str | Path):
        raise TypeError(f"{loaded!r} is a path; load it with load_untrusted first")
    if not callable(loaded):
        # hub.KerasLayer requires a callable object, though it then calls the named signature.
        kind = type(loaded)
        loaded.__class__ = type(kind.__name__, (kind,), {"__call__": _has_no_call})
    return hub.KerasLayer(loaded, trainable=trainable, name="backbone", **options)


def _has_no_call(self: Any, *_: Any, **__: Any) -> None:
    raise TypeError("this model is called by its signatures")


def _check_links(saved_model: Path) -> None:
    inside = saved_model.resolve()
    for path in saved_model.rglob("*"):
        if path.is_symlink() and not path.resolve().is_relative_to(inside):
            raise UserError(
                f"{path} is a link to a path outside the SavedModel. Replace it with the file itself or, if you trust "
                "the model's author, set trust_model=True for training or SERVE_TRUST_MODEL=true for serving."
            )


def _stamps(saved_model: Path) -> dict[str, tuple[int, ...]]:
    """Return for each file the attributes that change with its content; there is no lock to rely on."""
    found: dict[str, tuple[int, ...]] = {}
    for path in artifacts.model_files(saved_model):
        state = path.stat()
        found[str(path)] = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    return found
