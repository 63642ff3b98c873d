"""The files of a job that can be downloaded: those that a job writes, and nothing that a link leads to."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from image_classifier import artifacts
from image_classifier.contract import report_files
from image_classifier.runners import experiment, job_tree

_MEANING = {
    report_files.REPORT: "the report as one page, for people without the console",
    report_files.MODEL_QUALITY: "the figures in Model Monitor's model-quality schema",
    report_files.MODEL_CARD: "content for a SageMaker Model Card",
    report_files.ISSUES: "every image that is worth a look",
    report_files.EVIDENCE: "what this screen shows; NumPy reads it",
    "metrics.json": "the final metrics",
    "history.csv": "metrics by epoch",
    "predictions.csv": "every validation image with label and answer",
    "out_of_fold.csv": "the same of training images, by heads that did not see them",
    "skipped.csv": "files that could not be read",
    "search.csv": "every trial of recipe=search",
    job_tree.LOG: "the whole log",
    experiment.FILE: "what was asked for: scripts/train-locally reads it",
    artifacts.LABELS_FILE: "class names in index order",
    artifacts.MODEL_INFO_FILE: "how the model was made",
}
_FOLDERS = ("", "output/data", "model")


@dataclass(frozen=True)
class ResultFile:
    """A file to download."""

    path: str
    """Below the job's folder."""
    bytes: int
    meaning: str

    @property
    def name(self) -> str:
        """Its last part."""
        return self.path.rpartition("/")[2]


def listed(folder: Path) -> tuple[ResultFile, ...]:
    """Return the files of a job."""
    return tuple(_files(folder))


def find(folder: Path, path: str) -> Path | None:
    """Return one of `listed` as a path; None for anything else."""
    return next((folder / one.path for one in listed(folder) if one.path == path), None)


def _files(folder: Path) -> Iterator[ResultFile]:
    for below in _FOLDERS:
        inner = folder / below
        # A link would lead out of the job.
        if any(part.is_symlink() for part in (inner, *inner.parents) if part.is_relative_to(folder)):
            continue
        for name, meaning in _MEANING.items():
            path = inner / name
            if path.is_file() and not path.is_symlink():
                yield ResultFile(f"{below}/{name}" if below else name, path.stat().st_size, meaning)
