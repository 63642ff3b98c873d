"""A model of the catalogue by its id, from servers of this machine, trained and served: nothing else is reached."""

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from image_classifier import archives
from image_classifier.contract.opt_ml import OptMl
from image_classifier.training.model import backbone
from tests.platform.serving import ROOT, Server, running
from tests.platform.training_process import COLOURS, failure, make_tree, run_train
from tests.support.buckets import LocalBucket, bucket_on_this_machine
from tests.support.faulty_server import Cut, FaultyServer, serving
from tests.support.waiting import free_port

pytestmark = pytest.mark.no_cover

MODEL_ID = "tensorflow-ic-imagenet-mobilenet-v2-035-96"
PATH = "/google/imagenet/mobilenet_v2_035_96/feature_vector/5"
_MAKE_NETWORK = """
import sys
from pathlib import Path
import image_classifier.training
import tf_keras
from image_classifier.model_hub.converters import reusable_saved_model

tf_keras.utils.set_random_seed(1)
network = tf_keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, include_top=False, weights=None, pooling="avg")
reusable_saved_model.save(network, Path(sys.argv[1]))
"""


def offline() -> dict[str, str]:
    """Return an environment in which outside addresses are unreachable."""
    unreachable = f"http://127.0.0.1:{free_port()}"
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), unreachable)
    here = dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1,localhost")
    return {**proxies, **here, "PYTHONPATH": str(ROOT / "container")}


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real MobileNetV2 0.35 for 96 x 96 pixels with random weights, as a SavedModel."""
    folder = tmp_path_factory.mktemp("network") / "1"
    subprocess.run([sys.executable, "-c", _MAKE_NETWORK, str(folder)], check=True, env={**os.environ, **offline()})
    return folder


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBucket]:
    """An empty bucket."""
    with bucket_on_this_machine(monkeypatch) as found:
        yield found


def packed(saved_model: Path, below: str) -> bytes:
    """Pack the SavedModel below a folder of the archive."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        tar.add(saved_model, arcname=below)
    return file.getvalue()


@dataclass(frozen=True)
class Staging:
    """Runs scripts/stage-backbone with a cache of its own and no way out."""

    folder: Path

    def __call__(self, *options: str, **variables: str) -> tuple[Path, str]:
        """Return the archive and what the command says."""
        archive = self.folder / "staged.tar.gz"
        command = [str(ROOT / "scripts" / "stage-backbone"), MODEL_ID, "--output", str(archive), *options]
        variables = {**offline(), "IMAGE_CLASSIFIER_CACHE": str(self.folder / "cache"), **variables}
        done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return archive, done.stdout


def train_and_serve(tree: Path, start: Callable[..., Server], **variables: str) -> dict[str, object]:
    """Run the job and serve what it leaves; return the artefact's model info."""
    done = run_train(tree, **offline(), **variables)
    assert done.returncode == 0, done.stderr
    with running(start(tree, **offline())) as server:
        file = io.BytesIO()
        Image.new("RGB", (50, 40), COLOURS["red"]).save(file, "JPEG")
        answer = server.classify(file.getvalue(), Accept="application/json;verbose")
        assert answer.json["labels"] == ["blue", "red"]
        assert sum(answer.json["probabilities"]) == pytest.approx(1, abs=1e-5)
    found: dict[str, object] = json.loads((tree / "model/__model_info__.json").read_text())
    return found


def assert_staged(info: dict[str, object], source: str) -> None:
    """Hold the artefact's model info against the catalogue and the source."""
    assert (info["model_id"], info["source"], info["image_size"]) == (MODEL_ID, source, [96, 96])


@pytest.mark.every
def test_job_staged_from_a_local_hub_trains_and_serves(
    saved_model: Path, tmp_path: Path, start: Callable[..., Server]
) -> None:
    """A model_id, a server that answers as the Hub does and breaks off once -> staged, trained and served by it."""
    hub = FaultyServer({PATH: packed(saved_model, ".")}, [Cut(100_000)])
    with serving(hub):
        archive, said = Staging(tmp_path)("--mirror", hub.address)
    assert f"Source: {hub.address}{PATH}" in said
    assert [part for _, part in hub.asked] == [None, "bytes=100000-"]
    tree = make_tree(tmp_path / "job", COLOURS, train_only_top_layer="True", epochs="2")
    (tree / "input/data/model").mkdir()
    archive.rename(tree / "input/data/model/model.tar.gz")
    assert_staged(train_and_serve(tree, start), f"{hub.address}{PATH}")


@pytest.mark.every
def test_job_staged_from_jumpstarts_layout_trains_and_serves(
    saved_model: Path, bucket: LocalBucket, tmp_path: Path, start: Callable[..., Server]
) -> None:
    """The training artefact in a bucket laid out as JumpStart's, staged into S3 and named by model_uri -> the same."""
    source = bucket.put(f"tensorflow-training/v3.0.0/train-{MODEL_ID}.tar.gz", packed(saved_model, "1"), public=True)
    archive, said = Staging(tmp_path)("--from", "jumpstart", "--bucket", bucket.name, "--anonymous", **bucket.variables)
    assert f"Source: {source}" in said
    uri = bucket.put("models/staged.tar.gz", archive.read_bytes())
    tree = make_tree(tmp_path / "job", COLOURS, train_only_top_layer="True", epochs="2", model_uri=uri)
    assert_staged(train_and_serve(tree, start, **bucket.variables), source)


def test_model_uri_of_a_folder(bucket: LocalBucket, tmp_path: Path) -> None:
    """A model folder, or one archive, under a prefix; a model_id that is not staged -> the job takes what is there."""
    bucket.put("folder/1/saved_model.pb", b"graph")
    found = backbone.locate(OptMl(tmp_path / "ml"), "none", tmp_path / "a", f"s3://{bucket.name}/folder/")
    assert (found / "1/saved_model.pb").read_bytes() == b"graph"
    archives.pack(found, tmp_path / "packed.tar.gz")
    bucket.put("archive/model.tar.gz", (tmp_path / "packed.tar.gz").read_bytes())
    found = backbone.locate(OptMl(tmp_path / "ml"), "none", tmp_path / "b", f"s3://{bucket.name}/archive")
    assert (found / "1/saved_model.pb").read_bytes() == b"graph"


def test_model_channel_comes_before_model_uri(tmp_path: Path) -> None:
    """A model channel and an unreachable model_uri -> the channel, without a request."""
    channel = OptMl(tmp_path).channel_dir("model")
    (channel / "1").mkdir(parents=True)
    (channel / "1" / "saved_model.pb").write_bytes(b"graph")
    assert backbone.locate(OptMl(tmp_path), "", tmp_path, "s3://no-such-bucket/model.tar.gz") == channel


@pytest.mark.parametrize(
    ("uri", "variables", "message"),
    [
        (
            "s3://bucket-of-the-test/absent.tar.gz",
            {},
            "UserError: model_uri: s3://bucket-of-the-test/absent.tar.gz does not exist",
        ),
        pytest.param(
            "s3://bucket-of-the-test/absent.tar.gz",
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            "UserError: model_uri: No AWS credentials for s3://bucket-of-the-test/absent.tar.gz",
            marks=pytest.mark.every,
        ),
        pytest.param(
            "s3://bucket-of-the-test/absent.tar.gz",
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
            "PlatformError: model_uri: s3://bucket-of-the-test/absent.tar.gz cannot be reached: Could not connect",
            marks=pytest.mark.every,
        ),
        ("https://host/model.tar.gz", {}, "UserError: model_uri: 'https://host/model.tar.gz' is not an S3 address"),
    ],
    ids=["absent", "no credentials", "no network", "no s3"],
)
def test_model_uri_that_cannot_be_fetched_is_one_sentence(
    bucket: LocalBucket, tmp_path: Path, uri: str, variables: dict[str, str], message: str
) -> None:
    """Each way in which it fails -> exit 1, the sentence first in the failure file, the model channel as a way out."""
    tree = make_tree(tmp_path, COLOURS, count=2, model_uri=uri)
    done = run_train(tree, **offline(), **{**bucket.variables, "HOME": str(tmp_path), **variables})
    assert done.returncode == 1
    assert failure(tree).startswith(message)
    assert "A model channel needs neither network nor credentials" in failure(tree)
    assert "Traceback" not in done.stderr
