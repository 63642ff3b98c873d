"""The figures that ship with the program, model_hub/measured.csv, from a run of the benchmark."""

import csv
import io
from collections.abc import Mapping

from image_classifier.model_hub import catalogue
from image_classifier.model_hub.measured import DATA
from tests.families.page import Run

MODELS: Mapping[str, tuple[str, ...]] = {
    "MobileNet V1 0.25": ("mobilenet-v1-025-128",),
    "MobileNet V1 1.0": ("mobilenet-v1-100-224",),
    "MobileNet V2 1.0": ("mobilenet-v2-100-224", "tf2-preview-mobilenet-v2"),
    "ResNet V1 50": ("resnet-v1-50",),
    "ResNet V2 50": ("resnet-v2-50",),
    "Inception V3": ("inception-v3", "tf2-preview-inception-v3"),
    "Inception-ResNet V2": ("inception-resnet-v2",),
    "NASNet mobile": ("nasnet-mobile",),
    "NASNet large": ("nasnet-large",),
    "EfficientNet V1 B0": ("efficientnet-b0",),
    "EfficientNet V2 B0": (
        "efficientnet-v2-imagenet1k-b0",
        "efficientnet-v2-imagenet21k-b0",
        "efficientnet-v2-imagenet21k-ft1k-b0",
    ),
    "EfficientNet-Lite0": ("lite0",),
    "BiT R50x1": ("bit-m-r50x1-ilsvrc2012", "bit-m-r50x1-imagenet21k", "bit-s-r50x1-ilsvrc2012"),
    "DeiT tiny": ("deit-tiny-patch16-224",),
    "Swin tiny": ("swin-tiny-patch4-window7-224",),
}
"""The models whose network, at the same image size, is the one that was measured.

Not among them: MobileNet V3 large, whose module on the Hub has one more layer than the measured graph, and TensorFlow's
`resnet_50`, which has its strides elsewhere than ResNet V1 50.
"""
ACCURACY: Mapping[str, float] = {"EfficientNet-Lite0": 0.8764}
"""Of `scripts/benchmark accuracy`: solar cells, head alone, on the held-out part."""
_COLUMNS = ("model_id", "network", "images_per_second", "serving_megabytes", "head_milliseconds", "accuracy")


def text(run: Run) -> str:
    """Return the CSV, a row for each model whose network was measured, in the order of the measurements."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for network, names in MODELS.items():
        if row := run.rows.get(network):
            # A network that OpenVINO does not convert is served by TensorFlow.
            converts = isinstance(row.openvino_rate, float)
            rate = row.openvino_rate if converts else row.tensorflow_rate
            memory = row.openvino_megabytes if converts else row.tensorflow_megabytes
            for name in names:
                figures = f"{rate:.1f}", memory, f"{row.head_milliseconds:.1f}", ACCURACY.get(network, "")
                writer.writerow([catalogue.find(name).model_id, network, *figures])
    return file.getvalue()


def write(run: Run) -> None:
    """Write the figures where the program reads them."""
    DATA.write_text(text(run), encoding="utf-8")
