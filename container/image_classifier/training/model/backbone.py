"""The pre-trained network under the head: locate it, load it, compute features with it.

A job finds the folder before it starts TensorFlow, which is therefore imported by the functions that need it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from image_classifier import archives, artifact_checksums, artifacts, model_layout
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import ExplainedError, UserError, first_line
from image_classifier.contract.opt_ml import OptMl
from image_classifier.contract.system_names import is_ignored
from image_classifier.contract.training_variables import HUB_DIR
from image_classifier.model_hub import download_s3
from image_classifier.training.model import model_channel
from image_classifier.training.progress import log
from image_classifier.untrusted_models import assumptions, loader

if TYPE_CHECKING:
    from image_classifier.training.model.earlier_model import Head


def locate(opt_ml: OptMl, model_id: str, scratch: Path, model_uri: str = "") -> Path:
    """Return the backbone's folder: the `model` channel, else `model_uri`, else `/opt/hub/<model_id>`; unpacked.

    Without a `model_id` the only backbone of the image is used.

    Raises:
        UserError: There is no backbone; the message lists all locations.
        ExplainedError: `model_uri` cannot be fetched.
    """
    given = _given(opt_ml, model_id, scratch, model_uri)
    for note in model_layout.notes(given):
        log(note)
    return model_layout.root(given)


def _given(opt_ml: OptMl, model_id: str, scratch: Path, model_uri: str) -> Path:
    channel = opt_ml.channel_dir("model")
    if channel.is_dir() and not all(is_ignored(path.name) for path in channel.iterdir()):
        return model_channel.unpacked(channel, scratch / "model")
    if model_uri:
        return model_channel.unpacked(_fetched(model_uri, scratch / "fetched"), scratch / "model")
    hub, names = Path(HUB_DIR.read()), staged()
    if not model_id and len(names) == 1:
        return archives.materialise(hub / names[0], scratch / "model")
    for name in (model_id, *(f"{model_id}{suffix}" for suffix in archives.SUFFIXES)):
        if name in names:
            return archives.materialise(hub / name, scratch / "model")
    raise UserError(
        f"No backbone to train on: the model channel {channel} is missing or empty, no model_uri is given, "
        f"and {f'{hub / model_id} does not exist' if model_id else 'no model_id is given'} (staged in {hub}: "
        f"{', '.join(names) or 'nothing'}). Give the model channel an archive made by scripts/stage-backbone, or name "
        "a staged model_id."
    )


def staged() -> list[str]:
    """Return the names of the folders and archives under `/opt/hub`, in order."""
    hub = Path(HUB_DIR.read())
    return sorted(path.name for path in hub.iterdir() if not is_ignored(path.name)) if hub.is_dir() else []


def _fetched(uri: str, into: Path) -> Path:
    log(f"Model: fetching {uri}")
    try:
        download_s3.fetch_model(uri, into)
    except ExplainedError as error:
        raise type(error)(
            f"model_uri: {error} A model channel needs neither network nor credentials in the container."
        ) from error
    return into


@dataclass(frozen=True)
class Backbone:
    """A loaded backbone. `layer` is a `hub.KerasLayer`."""

    layer: Any
    info: ModelInfo
    folder: Path
    feature_count: int
    tunable: bool
    """Whether the network can be trained; False for TF1-format modules and named signatures."""
    warning: str | None = None
    """Assumptions about an unrecorded image size or scaling, for the log."""
    head: "Head | None" = None
    """Head of the earlier job that trained this network; None for a backbone, or if the job starts a new head."""

    def features(self, pixels: Any, training: Any = False) -> Any:
        """Return pooled features, float32 (n, feature_count), of float pixels 0…255, float32 (n, h, w, 3)."""
        return self.features_of_scaled(self.scale(pixels), training)

    def features_of_scaled(self, scaled: Any, training: Any = False) -> Any:
        """Return pooled features of pixels in the network's range."""
        output = self.layer(scaled, training=training) if self.tunable else self.layer(scaled)
        return _pooled(output)

    def scale(self, pixels: Any) -> Any:
        """Scale pixels 0…255 to the network's range."""
        from image_classifier.inference.engines.tensorflow import scale

        return scale(pixels, self.info.pixel_scaling_method)

    def feature_function(self) -> Any:
        """Return a compiled function from uint8 pixels (n, h, w, 3) to features, without gradients."""
        import tensorflow as tf

        specification = tf.TensorSpec((None, *self.info.image_size, 3), tf.uint8)
        return tf.function(lambda pixels: self.features(pixels), input_signature=[specification], autograph=False)


def load(folder: Path, trainable: bool | None, trust: bool) -> Backbone:
    """Load a backbone: a feature-vector or classification SavedModel with the Hub's calling convention.

    It is loaded for training if `trainable` is set, or if that is None and it can be trained.

    Of a tuple output the first element is used; a 4-D output is averaged over height and width; `signature` and
    `output_key` of the model info are honoured. The result of an earlier job is split into its network and its head.

    Raises:
        UserError: The SavedModel is corrupt or rejected, cannot be loaded, rejects images of the recorded size, or
            is not trainable although `trainable` is set.
    """
    import tensorflow as tf

    info, warning, module = _loaded(folder, trust)
    network, options, tunable, head = _parts(module, info, folder)
    if trainable and not tunable:
        raise UserError(
            f"The backbone in {folder} is called by its signature {options.get('signature', '')!r} (a TF1-format "
            "module, or the model info names it), so only its head can be trained. Set train_only_top_layer=True."
        )
    layer = loader.keras_layer(network, tunable if trainable is None else trainable, options)
    probe = np.zeros((1, *info.image_size, 3), np.float32)
    try:
        output = _first_replica(lambda: _pooled(layer(probe, training=False) if tunable else layer(probe)))
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise UserError(
            f"The backbone in {folder} does not accept images of {info.image_size[0]}x{info.image_size[1]} pixels, "
            f"the image_size of its model info: {first_line(error)}. Stage it with the image size that it supports."
        ) from error
    if trainable and not layer.trainable_variables:
        raise UserError(
            f"The backbone in {folder} has no trainable variables, so only its head can be trained. "
            "Set train_only_top_layer=True."
        )
    return Backbone(layer, info, folder, int(output.shape[-1]), tunable, warning, head)


def _loaded(folder: Path, trust: bool) -> tuple[ModelInfo, str | None, Any]:
    info, saved_model = artifacts.read_model_info(folder), artifacts.saved_model_folder(folder)
    with loader.unchanged(saved_model):
        sha256 = artifact_checksums.undamaged_sha256(saved_model, info, f"The backbone in {folder}")
        loaded = loader.load_untrusted(saved_model, trust, where=folder)
        info, warning = assumptions.complete(folder, info)
        return replace(info, sha256=sha256), warning, loaded


def _parts(module: Any, info: ModelInfo, folder: Path) -> tuple[Any, dict[str, Any], bool, Any]:
    """Return the network, the options of its layer, whether it is trainable, and the head of an earlier job."""
    from image_classifier.training.model import earlier_model

    earlier = earlier_model.split(module)
    if info.finetuned != (earlier is not None):
        raise UserError(_finetuned_mismatch(folder, info.finetuned))
    if earlier:
        return earlier.network, {}, earlier.tunable, earlier.head
    signature, output_key = _calling_convention(module, info)
    if signature is None:
        return module, {}, True, None
    return module, {"signature": signature, "output_key": output_key}, False, None


def _finetuned_mismatch(folder: Path, finetuned: bool) -> str:
    if finetuned:
        return (
            f"The model in {folder} is marked as fine-tuned, but its SavedModel has neither the layout of this program "
            "nor that of the built-in algorithm (a Keras model of a hub.KerasLayer and a dense layer), so its network "
            "and its head cannot be separated. Give the backbone that it was trained from."
        )
    return (
        f"The model in {folder} is the result of an earlier job, but its model info is missing. "
        f'Put {artifacts.MODEL_INFO_FILE} beside it: {{"finetuned": true, "image_size": [height, width], '
        '"pixel_scaling_method": "normalize"}, with the values of that job.'
    )


def _calling_convention(module: Any, info: ModelInfo) -> tuple[str | None, str | None]:
    if info.signature:
        return info.signature, info.output_key or "default"
    if callable(module):
        return None, None
    signatures = dict(getattr(module, "signatures", {}))
    for name in ("default", "image_feature_vector", "serving_default"):
        if name in signatures:
            keys = list(signatures[name].structured_outputs)
            return name, info.output_key or ("default" if "default" in keys else keys[0])
    raise UserError(
        f"The SavedModel supports neither the Hub's calling convention nor a known signature (it has: "
        f"{sorted(signatures)}). Set signature and output_key in its model info."
    )


def _first_replica(function: Callable[[], Any]) -> Any:
    """Call a function in replica context: a SavedModel loaded under a strategy runs only there."""
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    return strategy.experimental_local_results(strategy.run(function))[0]


def _pooled(output: Any) -> Any:
    import tensorflow as tf

    first = output[0] if isinstance(output, tuple | list) else output
    if isinstance(first, dict):
        raise ValueError(f"its output is a dictionary with the keys {sorted(first)}; name one as output_key")
    if first.shape.rank == 4:
        first = tf.reduce_mean(first, axis=[1, 2])
    if first.shape.rank != 2 or first.shape[-1] is None:
        raise ValueError(f"its output has the shape {tuple(first.shape)}; expected (images, features)")
    return tf.cast(first, tf.float32)
