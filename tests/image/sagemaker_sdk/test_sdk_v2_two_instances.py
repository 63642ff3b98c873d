import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.image.sagemaker_sdk.conftest import ROLE, Ran, Run
from tests.platform import hosts

FIT = """
from sagemaker.estimator import Estimator
Estimator(
    image_uri={image!r}, role={role!r}, instance_count={hosts}, instance_type="local",
    hyperparameters={{"epochs": 3, "train_only_top_layer": True, "learning_rate": 0.01, "batch_size": 10}},
    output_path="file://{scratch}/{hosts}",
).fit({{"training": "file://{images}", "model": "file://{backbone}"}})
"""

pytestmark = pytest.mark.every

Jobs = dict[int, Ran]


@pytest.fixture(scope="module")
def jobs(run_with_sdk: Run, image: str, few_photographs: Path, backbone: Path, scratch: Path) -> Jobs:
    """The same job with one instance and with two."""
    names = {"image": image, "role": ROLE, "scratch": scratch, "backbone": backbone.parent}
    images = few_photographs / "train"
    return {count: run_with_sdk("v2", FIT.format(hosts=count, images=images, **names)) for count in (1, 2)}


def member(folder: Path, archive: str, name: str) -> dict[str, Any]:
    """Return a JSON file of what a job left."""
    with tarfile.open(folder / archive) as tar:
        file = tar.extractfile(name)
        assert file
        found = json.load(file)
    assert isinstance(found, dict)
    return found


def test_two_containers_train_together(jobs: Jobs) -> None:
    """Given instance_count=2 -> both containers meet, train as two replicas, and end with exit code 0."""
    assert jobs[2].exit_code == 0, jobs[2].output[-6000:]
    assert jobs[2].output.count("2 replicas, MultiWorkerMirroredStrategy over gRPC rings") == 2
    assert len(set(re.findall(r"this is (algo-\d-\w+)", jobs[2].output))) == 2


def test_one_of_them_leaves_the_model(jobs: Jobs, scratch: Path) -> None:
    """Given the folder that both containers share -> it holds one whole, verified model."""
    assert jobs[2].exit_code == 0, jobs[2].output[-6000:]
    with tarfile.open(scratch / "2" / "model.tar.gz") as archive:
        names = archive.getnames()
    assert len(names) == len(set(names))
    assert "1/saved_model.pb" in names
    assert member(scratch / "2", "model.tar.gz", "__model_info__.json")["verified"] is True


def test_two_containers_learn_what_one_learns(jobs: Jobs, scratch: Path, tmp_path: Path) -> None:
    """Given the same job on one container -> each weight of the model and the best epoch's numbers are the same."""
    assert [job.exit_code for job in jobs.values()] == [0, 0]
    for count in jobs:
        with tarfile.open(scratch / str(count) / "model.tar.gz") as archive:
            archive.extractall(tmp_path / str(count) / "model", filter="data")
    one, two = (hosts.weights(tmp_path / str(count)) for count in sorted(jobs))
    assert hosts.largest_difference(one, two) < 1e-5
    found = [member(scratch / str(count), "model.tar.gz", "__model_info__.json")["metrics"] for count in sorted(jobs)]
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert found[1][name] == pytest.approx(found[0][name], abs=1e-4)
