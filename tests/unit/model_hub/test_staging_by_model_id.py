"""A model of the catalogue from each place that may have it: package, mirror, Hub, JumpStart."""

import hashlib
import io
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from image_classifier import archives, artifact_checksums, artifacts
from image_classifier.cli import stage_backbone
from image_classifier.cloud.s3 import Access
from image_classifier.contract.errors import PlatformError, UserError
from image_classifier.model_hub import catalogue, download_http, packages, staging
from image_classifier.model_hub.converters import reusable_saved_model
from image_classifier.model_hub.jumpstart import Bucket
from image_classifier.model_hub.sources import Origin
from image_classifier.model_hub.staging import Options
from tests.support.buckets import LocalBucket, bucket_on_this_machine
from tests.support.faulty_server import Cut, FaultyServer, serving
from tests.unit.training import small

pytestmark = pytest.mark.no_cover

MODEL = catalogue.find("tensorflow-ic-bit-m-r152x4-ilsvrc2012")
"""One with defaults of its own."""
HANDLE = MODEL.feature_vector_handles[0]
PATH = HANDLE.removeprefix("https://tfhub.dev")
KAGGLE_NAME = "bit-tensorflow2-m-r152x4-v1.tar.gz"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing has been fetched before, and nothing waits between two attempts."""
    monkeypatch.setattr(download_http, "FIRST_PAUSE_SECONDS", 0)
    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
    monkeypatch.setenv(packages.CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server(hub_archive: bytes) -> Iterator[FaultyServer]:
    """A server that has the model as TensorFlow Hub does."""
    with serving(FaultyServer({PATH: hub_archive})) as running:
        yield running


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalBucket]:
    """An empty bucket."""
    with bucket_on_this_machine(monkeypatch) as found:
        yield found


def stage(folder: Path, model_id: str = MODEL.model_id, with_head: bool = False, **origin: object) -> Path:
    """Stage a model of the catalogue and unpack the archive."""
    options = Options(with_head=with_head, origin=Origin(**origin))  # type: ignore[arg-type]
    archive = staging.stage(model_id, folder / "staged.tar.gz", options)
    return archives.materialise(archive, Path(tempfile.mkdtemp(dir=folder)) / "staged")


def assert_described(folder: Path, source: str) -> None:
    """Hold the model info against the catalogue."""
    info = artifacts.read_model_info(folder)
    assert (folder / "1" / "saved_model.pb").is_file()
    assert info.sha256 == artifact_checksums.folder_sha256(folder / "1")
    assert (info.model_id, info.image_size, info.pixel_scaling_method, info.licence, info.source) == (
        MODEL.model_id,
        MODEL.image_size,
        MODEL.pixel_scaling_method,
        MODEL.licence,
        source,
    )
    assert dict(info.hyperparameters) == dict(MODEL.hyperparameters) != {}


def test_server_that_mirrors_the_hub(
    server: FaultyServer, hub_archive: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An address as --mirror -> the handle's path is asked for, size, scaling and defaults are the catalogue's."""
    folder = stage(tmp_path, mirror=server.address, sha256=hashlib.sha256(hub_archive).hexdigest())
    assert_described(folder, f"{server.address}{PATH}")
    assert server.asked == [(f"{PATH}?tf-hub-format=compressed", None)]
    assert f"Source: {server.address}{PATH}" in capsys.readouterr().out


def test_broken_download_is_continued_and_then_kept(server: FaultyServer, hub_archive: bytes, tmp_path: Path) -> None:
    """Cut, 500, cut -> the whole model, each byte asked for once; staged again -> nothing is asked."""
    half = len(hub_archive) // 2
    server.faults = [Cut(half), 500, Cut(10)]
    stage(tmp_path, mirror=server.address)
    assert [part for _, part in server.asked] == [None, f"bytes={half}-", f"bytes={half}-", f"bytes={half + 10}-"]
    server.asked.clear()
    stage(tmp_path, mirror=server.address)
    assert server.asked == []


def test_wrong_checksum_and_rejections_are_said(server: FaultyServer, tmp_path: Path) -> None:
    """Another archive than the one meant, 403, 404 -> one sentence each, no archive."""
    with pytest.raises(PlatformError, match="expected 0000"):
        stage(tmp_path, mirror=server.address, sha256="0" * 64)
    server.faults = [403]
    with pytest.raises(UserError, match=r"answered 403 .*login"):
        stage(tmp_path, mirror=server.address)
    server.files.clear()
    with pytest.raises(UserError, match=r"answered 404 .*does not have this model"):
        stage(tmp_path, mirror=server.address)
    assert not (tmp_path / "staged.tar.gz").exists()


def test_archive_that_escapes_is_rejected(server: FaultyServer, tmp_path: Path) -> None:
    """A server whose archive has a member outside -> rejected by name, nothing written, not kept."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        tar.add(__file__, arcname="../escaped.py")
    server.files[PATH] = file.getvalue()
    with pytest.raises(UserError, match=r"cannot be used: .*'\.\./escaped\.py' points outside"):
        stage(tmp_path, mirror=server.address)
    assert not list(tmp_path.rglob("escaped.py"))
    assert not list(tmp_path.rglob("*.tar.gz"))


def test_second_handle_is_tried_when_the_first_is_absent(hub_archive: bytes, tmp_path: Path) -> None:
    """A model for which guide and SDK name two handles, of which the server has the second -> that one."""
    model = next(model for model in catalogue.MODELS.values() if len(model.feature_vector_handles) > 1)
    second = model.feature_vector_handles[1].removeprefix("https://tfhub.dev")
    with serving(FaultyServer({second: hub_archive})) as running:
        folder = stage(tmp_path, model.model_id, mirror=running.address)
        assert artifacts.read_model_info(folder).source == f"{running.address}{second}"


@pytest.mark.parametrize("layout", ["tensorflow_hub", "kaggle archive", "kagglehub", "model_id"])
def test_folder_that_mirrors_the_hub(model_folder: Path, hub_archive: bytes, tmp_path: Path, layout: str) -> None:
    """Each layout of a mirror folder, beside other models -> found and completed by the catalogue."""
    folder = tmp_path / "mirror"
    (folder / "models/google/bit/tensorFlow2/m-r50x1/1").mkdir(parents=True)
    (folder / "bit-tensorflow2-m-r152x4-ilsvrc2012-classification-v1.tar.gz").write_bytes(b"another model")
    place = {
        "tensorflow_hub": folder / hashlib.sha1(HANDLE.encode()).hexdigest(),
        "kaggle archive": folder / KAGGLE_NAME,
        "kagglehub": folder / "models/google/bit/tensorFlow2/m-r152x4/1",
        "model_id": folder / f"{MODEL.model_id}.tar.gz",
    }[layout]
    if place.suffix == ".gz":
        place.write_bytes(hub_archive)
    else:
        shutil.copytree(model_folder / "1", place)
    assert_described(stage(tmp_path, mirror=str(folder)), str(place))


def test_highest_version_of_a_kaggle_archive(hub_archive: bytes, tmp_path: Path) -> None:
    """Versions 2 and 10 of an archive -> 10."""
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / KAGGLE_NAME.replace("v1", "v2")).write_bytes(b"old")
    (tmp_path / "mirror" / KAGGLE_NAME.replace("v1", "v10")).write_bytes(hub_archive)
    assert_described(
        stage(tmp_path, mirror=str(tmp_path / "mirror")), f"{tmp_path}/mirror/bit-tensorflow2-m-r152x4-v10.tar.gz"
    )


def test_mirror_without_the_model_asks_no_other_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without it, no folder, no mirror at all -> one sentence each with what was looked for."""
    (tmp_path / "mirror").mkdir()
    with pytest.raises(UserError, match=rf"has no {MODEL.model_id}\. Looked for .*{HANDLE}"):
        stage(tmp_path, mirror=str(tmp_path / "mirror"))
    with pytest.raises(UserError, match="absent is not a folder"):
        stage(tmp_path, mirror=str(tmp_path / "absent"))
    with pytest.raises(UserError, match="A mirror is not named: give --mirror"):
        stage(tmp_path, name="mirror")
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "mirror"))
    with pytest.raises(UserError, match=rf"has no {MODEL.model_id}"):
        stage(tmp_path, name="mirror")


def test_hub_cache_of_the_environment_comes_first(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TFHUB_CACHE_DIR with the model and no option -> taken from there, no server asked."""
    place = tmp_path / "hub" / hashlib.sha1(HANDLE.encode()).hexdigest()
    shutil.copytree(model_folder / "1", place)
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "hub"))
    assert_described(stage(tmp_path), str(place))


def test_model_without_a_package_is_said(tmp_path: Path) -> None:
    """--from package for a model that has none -> the two that have one."""
    with pytest.raises(UserError, match=r"is in no package; lite0 and mobilenetv2-160 are"):
        stage(tmp_path, name="package")


@pytest.mark.every
def test_package_under_its_catalogue_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lite0 by its catalogue id and by its short name -> the same bytes; with --mirror -> the mirror's."""
    monkeypatch.delenv(packages.CACHE_VARIABLE)
    lite0 = catalogue.find("lite0")
    first, second = (staging.stage(name, tmp_path / name) for name in (lite0.model_id, "lite0"))
    assert first.read_bytes() == second.read_bytes()
    with serving(FaultyServer({})) as running, pytest.raises(UserError, match="answered 404"):
        stage(tmp_path, lite0.model_id, mirror=running.address)


@pytest.mark.every
def test_classifier_with_its_head_from_a_mirror(tmp_path: Path) -> None:
    """A classifier of 1,001 outputs without labels, --with-head -> its own handle, ImageNet's names, OpenVINO IR."""
    import tf_keras

    features = small.build_network((None, None))
    network = tf_keras.Model(features.inputs, tf_keras.layers.Dense(1001)(features.output))
    place = tmp_path / "mirror" / hashlib.sha1(MODEL.classifier_handles[0].encode()).hexdigest()
    reusable_saved_model.save(network, place)
    folder = stage(tmp_path, with_head=True, mirror=str(tmp_path / "mirror"))
    assert_described(folder, str(place))
    labels = artifacts.read_labels(folder)
    assert (len(labels), labels[:2]) == (1001, ("background", "tench, Tinca tinca"))
    assert (folder / "openvino" / "model.xml").is_file()


def test_jumpstart_training_artefact(bucket: LocalBucket, model_folder: Path, tmp_path: Path, own_cache: Path) -> None:
    """SavedModel under 1/ and model info in JumpStart's bucket -> staged; the artefact's own size wins."""
    (tmp_path / "artefact").mkdir()
    shutil.copytree(model_folder / "1", tmp_path / "artefact" / "1")
    (tmp_path / "artefact" / "__models_info__.json").write_text('{"IMAGE_SIZE": [48, 48], "finetuned": false}')
    archives.pack(tmp_path / "artefact", tmp_path / "packed.tar.gz")
    key = f"tensorflow-training/v3.0.0/train-{MODEL.model_id}.tar.gz"
    uri = bucket.put(key, (tmp_path / "packed.tar.gz").read_bytes(), public=True)
    for anonymous in (False, True):
        access = Access(anonymous=anonymous)
        folder = stage(tmp_path, name="jumpstart", bucket=Bucket(bucket.name, access))
        info = artifacts.read_model_info(folder)
        assert (info.model_id, info.source, info.image_size) == (MODEL.model_id, uri, (48, 48))
        assert dict(info.hyperparameters) == dict(MODEL.hyperparameters)
    assert not [path for path in own_cache.rglob("*") if path.is_file()]


@pytest.mark.every
def test_jumpstart_hosting_artefact_has_the_head(bucket: LocalBucket, model_folder: Path, tmp_path: Path) -> None:
    """--with-head from JumpStart -> the hosting artefact's folder with its labels."""
    prefix = f"tensorflow-ic/{MODEL.model_id}/artifacts/inference/v3.0.0"
    for path in (model_folder / "1").rglob("*"):
        if path.is_file():
            bucket.put(f"{prefix}/1/{path.relative_to(model_folder / '1').as_posix()}", path.read_bytes())
    bucket.put(f"{prefix}/labels_info.json", b'{"labels": ["cat", "dog"]}')
    folder = stage(tmp_path, with_head=True, name="jumpstart", bucket=Bucket(bucket.name))
    assert artifacts.read_labels(folder) == ("cat", "dog")
    assert_described(folder, f"s3://{bucket.name}/{prefix}/")


def test_jumpstart_that_lacks_or_rejects_it_is_said(bucket: LocalBucket, tmp_path: Path) -> None:
    """No artefact under the id, an artefact that is not for everybody -> one sentence each with its address."""
    with pytest.raises(UserError, match=rf"train-{MODEL.model_id}\.tar\.gz does not exist"):
        stage(tmp_path, name="jumpstart", bucket=Bucket(bucket.name))
    bucket.put(f"tensorflow-training/v3.0.0/train-{MODEL.model_id}.tar.gz", b"x")
    with pytest.raises(UserError, match="AWS rejected HeadObject for s3://"):
        stage(tmp_path, name="jumpstart", bucket=Bucket(bucket.name, Access(anonymous=True)))


def test_bucket_of_a_region() -> None:
    """No name -> JumpStart's public bucket of the region, of us-east-1 when none is given."""
    assert Bucket(access=Access("eu-west-1")).at("key").bucket == "jumpstart-cache-prod-eu-west-1"
    assert Bucket().at("key").bucket == "jumpstart-cache-prod-us-east-1"


def test_output_to_s3_and_back(bucket: LocalBucket, model_folder: Path, tmp_path: Path) -> None:
    """The command with --output s3://... -> an archive there, which can be staged from its address."""
    uri = f"s3://{bucket.name}/models/mine.tar.gz"
    assert stage_backbone.main([str(model_folder), "--output", uri]) == 0
    assert bucket.keys() == ["models/mine.tar.gz"]
    folder = archives.materialise(staging.stage(uri, tmp_path / "again.tar.gz"), tmp_path / "again")
    assert artifacts.read_model_info(folder).image_size == (32, 40)


def test_foreign_object_is_not_replaced(
    bucket: LocalBucket, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An object that no staging wrote under the key -> exit 1 and as it was; one that staging wrote -> replaced."""
    bucket.put("models/theirs.tar.gz", b"theirs")
    uri = f"s3://{bucket.name}/models"
    assert stage_backbone.main([str(model_folder), "--output", f"{uri}/theirs.tar.gz"]) == 1
    assert f"--output {uri}/theirs.tar.gz exists and is not a staged backbone" in capsys.readouterr().err
    assert bucket.read("models/theirs.tar.gz") == b"theirs"
    assert [stage_backbone.main([str(model_folder), "--output", f"{uri}/ours.tar.gz"]) for _ in range(2)] == [0, 0]


def test_cache_folder_with_foreign_files(server: FaultyServer, tmp_path: Path, own_cache: Path) -> None:
    """Files or a link under a handle's name in the cache that are not a model -> rejected, and they stay."""
    handle = f"{server.address}{PATH}"
    folder = own_cache / "hub" / hashlib.sha1(handle.encode()).hexdigest()
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="Nothing was removed"):
        staging.stage(handle, tmp_path / "x.tar.gz")
    assert (folder / "notes.txt").read_text() == "mine"
