"""What a pipeline cannot give to the version that it registers: the model card and the figures in its metadata.

A definition has no way to take them from a file, so that they are added by the command that meets the version first.
"""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

from image_classifier.cloud import s3
from image_classifier.cloud.s3 import Access, S3Storage
from image_classifier.cloud.sagemaker import registering, registry
from image_classifier.cloud.sagemaker.registry import Registered
from image_classifier.cloud.sagemaker.session import Session
from image_classifier.contract import gate_files, report_files
from image_classifier.contract.errors import ExplainedError
from image_classifier.registration import figures, package_card


def try_to_complete(opened: Session, found: Registered) -> tuple[Registered | None, str]:
    """Return the version as `complete` does, and a sentence if that failed: approving a version needs no files."""
    try:
        return complete(opened, found), ""
    except ExplainedError as error:
        return None, f"{found.name} still lacks its model card. {error}"


def complete(opened: Session, found: Registered) -> Registered | None:
    """Add card and figures from the files that the pipeline's `gate` left; return the version as it is then.

    None: it has a card, was not registered by this program, or the files are not there.

    Raises:
        ExplainedError: A file is not what `gate` writes, or AWS rejects a request.
    """
    if found.has_card or not found.is_ours or not found.evaluation.endswith(f"/{report_files.MODEL_QUALITY}"):
        return None
    place = s3.parse(found.evaluation.removesuffix(f"/{report_files.MODEL_QUALITY}"))
    storage = S3Storage(Access(region=opened.region, profile=opened.profile or None))
    names = (*gate_files.COPIED, gate_files.FIGURES)
    files = {name: content for name in names if (content := storage.read_bytes(place.below(name))) is not None}
    if files.keys() != set(names):
        return None
    with tempfile.TemporaryDirectory() as scratch:
        for name, content in files.items():
            (Path(scratch) / name).write_bytes(content)
        score = figures.read(Path(scratch))
        card = package_card.read(Path(scratch), found.artefact)
    verdict = str(json.loads(files[gate_files.FIGURES]).get(gate_files.VERDICT, ""))
    opened.send(registering.complete(found, card, replace(score, verdict=verdict).as_properties()))
    return registry.find(opened, found.arn)
