"""How well the console's estimate before the start fits the truth: three models, two data sets.

    scripts/benchmark estimate [--models lite0,mobilenetv2-160,random-mobilenet] [--data stamps,solar] [--results FILE]

For each pair: the small job on 32 images that the console runs, what it predicts, and the job itself, with recipe=auto
and a frozen network, whose time does not depend on a decision. The ratio of the estimate to the truth is that of
seconds, and the same of CPU seconds, which tells more on a machine that is busy otherwise. With --results each pair is
kept in that file as soon as it is measured, and the same command measures those that it lacks. Exits with 1 when a
ratio of seconds is outside 0.7 to 1.3.
"""

import argparse
import contextlib
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from image_classifier import artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.console.estimating import prediction, probe_process, watched_job
from image_classifier.console.estimating.prediction import Measurement
from image_classifier.console.estimating.request import Request, Sizes, choose, rows_of, settings_of
from image_classifier.console.estimating.watched_job import ENDED, HEAD, LOADED, TRAINED, Watched
from image_classifier.contract import hyperparameters, plan_rules
from image_classifier.model_hub import packages
from image_classifier.model_hub.converters import reusable_saved_model
from image_classifier.photographs import sample_sets
from image_classifier.resources import processors
from image_classifier.runners import chosen_model, job_tree
from image_classifier.runners.job_tree import LocalJob
from tests.benchmarks.serving import markdown
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
    """Seconds; so are the others without another unit."""
    true: float
    estimated_cpu: float
    """CPU seconds."""
    true_cpu: float
    small: float
    """What the measurement for the estimate took."""
    memory_ratio: float
    """Peak of the small job by that of the job."""
    load: float
    """Processes that wanted a CPU while the job ran, one minute's mean."""
    phases: Mapping[str, tuple[float, float]]
    """Estimated and true CPU seconds by phase."""

    @property
    def ratio(self) -> float:
        """Estimated by true seconds."""
        return self.estimated / self.true

    @property
    def cells(self) -> tuple[str, ...]:
        """A row of the table, see `COLUMNS`."""
        return (
            self.model,
            self.data,
            f"{self.estimated:.0f} s",
            f"{self.true:.0f} s",
            f"{self.ratio:.2f}",
            f"{self.estimated_cpu / self.true_cpu:.2f}",
            f"{self.small:.0f} s",
            f"{self.memory_ratio:.2f}",
            f"{self.load:.1f}",
        )


COLUMNS = ("model", "data set", "estimate", "job", "ratio", "of CPU seconds", "small job", "memory", "load")


def measure(model: str, archive: Path, data: str, folder: Path) -> Comparison:
    """Estimate a job and run it."""
    files = {one.name: sorted(map(str, one.iterdir())) for one in sorted(folder.iterdir()) if one.is_dir()}
    counts = [len(found) for found in files.values()]
    sizes = Sizes(sum(counts), 0, 0, len(counts), plan_rules.smallest_class(counts))
    values = hyperparameters.parse(SETTINGS).values
    request = Request(choose(files), data, str(archive), settings_of(values, False), rows_of(sizes, False))
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="small-") as scratch:
        small = probe_process.measure(request, Path(scratch))
    classes = len({name for name, _ in request.images})
    assert small.cpu
    estimated, of_cpu = (
        prediction.predict(
            values,
            sizes,
            Measurement(watched, 0.0, request.rows, classes, load),
            None,
            processors.available_processors(),
            processors.has_gpu(),
        )
        for watched in (small, small.cpu)
    )
    with tempfile.TemporaryDirectory(prefix="truth-") as scratch:
        job = LocalJob(folder, archive, Path(scratch) / "job", hyperparameters=SETTINGS)
        true = watched_job.run(job_tree.build_tree(job))
    if true.code:
        raise RuntimeError(true.failure)
    assert true.cpu
    return Comparison(
        model,
        data,
        estimated.seconds,
        true.marks[ENDED],
        of_cpu.seconds,
        true.cpu.marks[ENDED],
        small.marks[ENDED],
        small.peak_bytes / true.peak_bytes,
        os.getloadavg()[0],
        {phase.name: (phase.seconds, taken) for phase, taken in zip(of_cpu.phases, taken_by(true.cpu), strict=True)},
    )


def taken_by(job: Watched) -> Iterator[float]:
    """Return the seconds of the phases of an estimate in a job that has run: start, features, head, and the rest."""
    before = 0.0
    for name in (LOADED, HEAD, TRAINED, ENDED):
        yield job.marks[name] - before
        before = job.marks[name]


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


def folder_of(data: str) -> Path:
    """Return all images of a sample data set in class folders, kept in the cache."""
    folder = packages.cache_folder() / "data" / f"{data}-whole"
    if not folder.is_dir():
        sample = sample_sets.find(data)
        sample_sets.write(sample, folder, sample.write, divided=False)
    return folder


def kept(results: Path | None) -> list[Comparison]:
    """Return the pairs of an earlier run that was ended; a line that it was ended in is left out."""
    found = []
    for line in results.read_text(encoding="utf-8").splitlines() if results and results.exists() else ():
        with contextlib.suppress(ValueError):
            found.append(Comparison(**json.loads(line)))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print; return the exit code."""
    parser = argparse.ArgumentParser(description="How well the estimate before the start fits the truth.")
    parser.add_argument("--models", default=",".join(MODELS), help="names of the catalogue, with commas")
    parser.add_argument("--data", default="stamps,solar", help="sample data sets, with commas")
    parser.add_argument("--results", type=Path, help="keep each pair in this file, and measure only those it lacks")
    given = parser.parse_args(arguments)
    done = kept(given.results)
    for model, data in itertools.product(given.models.split(","), given.data.split(",")):
        if any((one.model, one.data) == (model, data) for one in done):
            continue
        with tempfile.TemporaryDirectory(prefix="estimate-models-") as scratch:
            done.append(measure(model, archive_of(model, Path(scratch)), data, folder_of(data)))
        print(markdown.line(*done[-1].cells), flush=True)
        shown = (f"{name} {one:.0f} of {other:.0f}" for name, (one, other) in done[-1].phases.items())
        print("estimated CPU seconds of the true ones:", ", ".join(shown), flush=True)
        if given.results:
            with given.results.open("a", encoding="utf-8") as file:
                print(json.dumps(asdict(done[-1])), file=file)
    print(*markdown.head(*COLUMNS), *(markdown.line(*one.cells) for one in done), sep="\n")
    return 0 if all(ALLOWED[0] <= one.ratio <= ALLOWED[1] for one in done) else 1


if __name__ == "__main__":
    sys.exit(main())
