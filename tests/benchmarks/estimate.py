"""How well the console's estimate before the start fits the truth: three models, two data sets.

    scripts/benchmark estimate [--models lite0,mobilenetv2-160,mobilenet-v1-025-128] [--data stamps,solar]

For each pair: the small job on 32 images that the console runs, what it predicts, and the job itself, with recipe=auto
and a frozen network, whose time does not depend on a decision. The ratio of the estimate to the truth is that of
seconds, and the same of CPU seconds, which tells more on a machine that is busy otherwise. Exits with 1 when a ratio of
seconds is outside 0.7 to 1.3.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.console.estimating import prediction, probe_process, watched_job
from image_classifier.console.estimating.prediction import Measurement
from image_classifier.console.estimating.request import Request, Sizes, choose, rows_of, settings_of
from image_classifier.console.estimating.watched_job import ENDED, Watched
from image_classifier.contract import hyperparameters
from image_classifier.model_hub import packages
from image_classifier.model_hub.converters import reusable_saved_model
from image_classifier.photographs import sample_sets
from image_classifier.resources import processors
from image_classifier.runners import chosen_model, job_tree
from image_classifier.runners.job_tree import LocalJob
from tests.families import architectures

ALLOWED = (0.7, 1.3)
MODELS = ("lite0", "mobilenetv2-160", "random-mobilenet")
"""The last is a MobileNet with random weights, whose time is that of trained ones."""
SETTINGS = {"recipe": "auto", "train_only_top_layer": "True"}


@dataclass(frozen=True)
class Comparison:
    """An estimate and the truth."""

    model: str
    data: str
    estimated: float
    """Seconds."""
    estimated_cpu: float
    true: Watched
    small: Watched

    @property
    def ratio(self) -> float:
        """Estimated by true seconds."""
        return self.estimated / self.true.marks[ENDED]

    @property
    def cpu_ratio(self) -> float:
        """Estimated by true CPU seconds."""
        assert self.true.cpu
        return self.estimated_cpu / self.true.cpu.marks[ENDED]


def measure(model: str, archive: Path, data: str, folder: Path) -> Comparison:
    """Estimate a job and run it."""
    files = {one.name: sorted(map(str, one.iterdir())) for one in sorted(folder.iterdir()) if one.is_dir()}
    counts = [len(found) for found in files.values()]
    sizes = Sizes(sum(counts), 0, 0, len(counts), min(counts))
    values = hyperparameters.parse(SETTINGS).values
    request = Request(choose(files), data, str(archive), settings_of(values, False), rows_of(sizes, False))
    load, small = os.getloadavg()[0], probe_process.measure(request)
    classes = len({name for name, _ in request.images})
    assert small.cpu
    seconds, cpu_seconds = (
        prediction.predict(
            values,
            sizes,
            Measurement(watched, 0.0, request.rows, classes, load),
            None,
            processors.available_processors(),
            processors.has_gpu(),
        ).seconds
        for watched in (small, small.cpu)
    )
    with tempfile.TemporaryDirectory(prefix="truth-") as scratch:
        job = LocalJob(folder, archive, Path(scratch) / "job", hyperparameters=SETTINGS)
        true = watched_job.run(job_tree.build_tree(job))
    if true.code:
        raise RuntimeError(true.failure)
    return Comparison(model, data, seconds, cpu_seconds, true, small)


def archive_of(model: str, scratch: Path) -> Path:
    """Return a staged backbone, of `random-mobilenet` one that is made in `scratch`."""
    if model != "random-mobilenet":
        found = chosen_model.choose(model, {}).fetch()
        assert found
        return found
    network = architectures.ARCHITECTURES["MobileNet V2 1.0"].build()
    folder = scratch / model
    reusable_saved_model.save(network, folder / artifacts.SAVED_MODEL_DIR)
    artifacts.write_model_info(folder, ModelInfo(image_size=(224, 224), model_id=model, output="features"))
    return folder


def lines(found: Comparison) -> Iterator[str]:
    """Return a comparison as text: its ratios, then where the seconds went."""
    seconds = found.true.marks[ENDED]
    yield (
        f"{found.model:<18} {found.data:<8} estimate {found.estimated:6.1f} s, job {seconds:6.1f} s: "
        f"{found.ratio:.2f}; of CPU seconds {found.cpu_ratio:.2f}; small job {found.small.marks[ENDED]:.1f} s; "
        f"memory {found.small.peak_bytes / found.true.peak_bytes:.2f}; load {os.getloadavg()[0]:.1f}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print; return the exit code."""
    parser = argparse.ArgumentParser(description="How well the estimate before the start fits the truth.")
    parser.add_argument("--models", default=",".join(MODELS), help="names of the catalogue, with commas")
    parser.add_argument("--data", default="stamps,solar", help="sample data sets, with commas")
    given = parser.parse_args(arguments)
    outside = 0
    with tempfile.TemporaryDirectory(prefix="estimate-models-") as scratch:
        for model in given.models.split(","):
            archive = archive_of(model, Path(scratch))
            for data in given.data.split(","):
                folder = packages.cache_folder() / "data" / f"{data}-whole"
                if not folder.is_dir():
                    sample = sample_sets.find(data)
                    sample_sets.write(sample, folder, sample.write, divided=False)
                found = measure(model, archive, data, folder)
                for line in lines(found):
                    print(line, flush=True)
                outside += not ALLOWED[0] <= found.ratio <= ALLOWED[1]
    return 1 if outside else 0


if __name__ == "__main__":
    sys.exit(main())
