"""What a finished training job leaves in S3, and lines of its log."""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import boto3

from tests.support.sagemaker_service import BUCKET

LOG = """\
epochs = 3 (given)
training: 1423 images of 2 classes (defective 458, functional 965)
Training images: 160/1423 images, 4 s
Training images: 1423/1423 images, 16 s
45/45 - 1s - loss: 0.489034 - accuracy: 0.8060 - val_loss: 0.483954 - val_accuracy: 0.7887
45/45 - 1s - loss: 0.431865 - accuracy: 0.8566 - val_loss: 0.465122 - val_accuracy: 0.8197
WARNING: a warning
""".splitlines()
ACCURACY = 0.75
_STOPPED = {"left_out": "the job was stopped before it: SIGTERM"}


def put_results(job: str, prefix: str = "image-classifier", stopped: bool = False) -> None:
    """Write the two archives of a job."""
    metrics = {"epochs": 3, "best_epoch": 2, "val_accuracy": ACCURACY, "verdict": "Good enough."}
    info = {"hyperparameters": {"epochs": 9}, "openvino": _STOPPED if stopped else {}, "verification": {}}
    rows = "file,label,predicted,probability\na.jpg,cat,cat,0.9\nb.jpg,dog,cat,0.6\n"
    archives = {
        "model": {"__model_info__.json": json.dumps(info), "class_label_to_prediction_index.json": "{}"},
        "output": {"metrics.json": json.dumps(metrics), "predictions.csv": rows, "report.html": "<p>report</p>"},
    }
    for name, files in archives.items():
        key = f"{prefix}/jobs/{job}/output/{name}.tar.gz"
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=packed(files))


def put_model(job: str, model: Path, reports: Mapping[str, str], prefix: str = "image-classifier") -> None:
    """Write the two archives of a job that left a model folder and the reports of these names."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for path in sorted(model.iterdir()):
            archive.add(path, path.name)
    for name, body in (("model", content.getvalue()), ("output", packed(reports))):
        key = f"{prefix}/jobs/{job}/output/{name}.tar.gz"
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)


def packed(files: Mapping[str, str]) -> bytes:
    """Return a tar.gz with some files."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()
