import io
import tarfile
from pathlib import Path

import boto3
import pytest

from tests.image.sagemaker_sdk.conftest import ROLE, Ran, Run

pytestmark = pytest.mark.every

CALL = """
from sagemaker.estimator import Estimator

hyperparameters = {"epochs": '"1"', "train_only_top_layer": '"True"', "adam-learning-rate": "0.001", "batch-size": "16"}
estimator = Estimator(
    role=aws_role,
    image_uri=train_image_uri,
    source_dir=train_source_uri,
    model_uri=train_model_uri,
    entry_point="transfer_learning.py",
    instance_count=1,
    instance_type=training_instance_type,
    max_run=360000,
    hyperparameters=hyperparameters,
    output_path=s3_output_location,
)
estimator.fit({"training": training_dataset_s3_path, "code": train_source_uri}, logs=True)
print("artefact:", estimator.model_data)
"""
"""The call of the algorithm's announcement, and a `code` channel beside it, as JumpStart's own jobs have one."""
BUCKET = "the-announcement"


def upload(aws: str, images: Path, backbone: Path) -> None:
    """Lay out the bucket: images, the model's archive, and an archive with a script that must not run."""
    s3 = boto3.Session("test", "test", region_name="eu-west-1").client("s3", endpoint_url=aws)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for image in images.glob("*/*"):
        s3.upload_file(str(image), BUCKET, f"training/{image.parent.name}/{image.name}")
    s3.upload_file(str(backbone), BUCKET, "models/model.tar.gz")
    text, packed = b"raise SystemExit('the script was run')\n", io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("transfer_learning.py")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    s3.put_object(Bucket=BUCKET, Key="source/sourcedir.tar.gz", Body=packed.getvalue())


@pytest.fixture(scope="module")
def done(run_with_sdk: Run, aws: str, image: str, few_photographs: Path, backbone: Path) -> Ran:
    """The call in local mode, everything it names in S3, nothing but the image's name changed."""
    upload(aws, few_photographs / "train", backbone)
    given = {
        "aws_role": ROLE,
        "train_image_uri": image,
        "train_source_uri": f"s3://{BUCKET}/source/sourcedir.tar.gz",
        "train_model_uri": f"s3://{BUCKET}/models/model.tar.gz",
        "training_instance_type": "local",
        "training_dataset_s3_path": f"s3://{BUCKET}/training",
        "s3_output_location": f"s3://{BUCKET}/output",
    }
    return run_with_sdk("v2", "".join(f"{name} = {value!r}\n" for name, value in given.items()) + CALL)


def test_it_trains(done: Ran) -> None:
    """Given the call -> the job ends well with the hyperparameters under their old names, quoted or not."""
    assert done.exit_code == 0, done.output[-6000:]
    for line in ("epochs = 1 (given)", "learning_rate = 0.001 (given)", "batch_size = 16 (given)"):
        assert line in done.output
    assert "train_only_top_layer = True (given)" in done.output


def test_the_script_is_not_run_and_the_log_says_so(done: Ran) -> None:
    """Given source_dir and entry_point -> one line names both, and the script's own words are nowhere."""
    [line] = [line for line in done.output.splitlines() if "Not run: " in line]
    assert f"Not run: transfer_learning.py from s3://{BUCKET}/source/sourcedir.tar.gz." in line
    assert "the script was run" not in done.output


def test_artefact_is_where_it_was_asked_for(done: Ran, aws: str) -> None:
    """Given output_path in S3 -> model.tar.gz is below it, complete."""
    [printed] = [line for line in done.output.splitlines() if line.startswith("artefact: ")]
    key = printed.removeprefix(f"artefact: s3://{BUCKET}/")
    assert key.startswith("output/")
    s3 = boto3.Session("test", "test", region_name="eu-west-1").client("s3", endpoint_url=aws)
    with tarfile.open(fileobj=io.BytesIO(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())) as archive:
        assert {"1/saved_model.pb", "labels_info.json", "__model_info__.json"} <= set(archive.getnames())
