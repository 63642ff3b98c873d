from pathlib import Path

import pytest

from tests.image.sagemaker_sdk.conftest import ROLE, Run

FIT = """
from sagemaker.estimator import Estimator
Estimator(
    image_uri={image!r}, role={role!r}, instance_count=1, instance_type="local",
    hyperparameters={hyperparameters!r}, output_path="file://{scratch}/output",
).fit({{"training": "file://{images}", "model": "file://{backbone}"}})
"""


@pytest.mark.every
def test_values_quoted_as_json_are_understood(
    run_with_sdk: Run, image: str, few_photographs: Path, backbone: Path, scratch: Path
) -> None:
    """Given every value as a JSON string inside a string -> the job runs with what is meant."""
    quoted = {"epochs": '"1"', "train_only_top_layer": '"True"', "optimizer": '"sgd"', "learning_rate": '"0.01"'}
    names = {"image": image, "role": ROLE, "hyperparameters": quoted, "scratch": scratch}
    done = run_with_sdk("v2", FIT.format(**names, images=few_photographs / "train", backbone=backbone.parent))
    assert done.exit_code == 0, done.output[-6000:]
    for line in ("epochs = 1 (given)", "train_only_top_layer = True (given)", "optimizer = sgd (given)"):
        assert line in done.output
    assert "learning_rate = 0.01 (given)" in done.output
