"""One training in a process of its own, by a job's own code: which held-out images are right, and what it took."""

import json
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from image_classifier import archives, tensorflow_start
from image_classifier.contract import contradictions, hyperparameters
from image_classifier.model_hub import packages, staging
from image_classifier.training.stopping import StopSignal
from tests.benchmarks.recipes import data_sets
from tests.benchmarks.recipes.modes import MODES


@dataclass(frozen=True)
class Run:
    """The result of a training."""

    data: str
    seed: int
    fold: int
    mode: str
    right: dict[str, bool]
    """By the name of each held-out image."""
    seconds: float
    """From the first decoded image to the score of the held-out images, which every mode has to compute."""
    cpu_seconds: float
    memory_mb: float
    """Peak of the process."""
    rule: str = ""
    """Which rule of a recipe fired."""
    tuning_seconds: float | None = None
    """Budget of the tuning, where it was not the default."""

    @property
    def key(self) -> tuple[str, int, int, str]:
        """What it was a run of."""
        return self.data, self.seed, self.fold, self.mode


def train(data: str, seed: int, fold: int, mode: str, tuning_seconds: float | None) -> Run:
    """Train once with EfficientNet-Lite0 and score the held-out images."""
    splits = data_sets.prepare(data, seed)[fold]
    settings = hyperparameters.parse({**MODES[mode], "random_seed": seed + 1})
    values = settings.values
    tensorflow_start.start()
    from image_classifier.training import fine_tuning
    from image_classifier.training.model import backbone
    from image_classifier.training.recipes import budget, recipe, searched

    budget.CPU_SECONDS = tuning_seconds or budget.CPU_SECONDS

    with tempfile.TemporaryDirectory() as scratch:
        archive = staging.stage("lite0", packages.cache_folder() / "lite0.tar.gz")
        model = archives.materialise(archive, Path(scratch) / "lite0")
        trainable = {contradictions.AUTO: None, contradictions.SEARCH: False}.get(
            values.recipe, not values.train_only_top_layer
        )
        loaded = backbone.load(model, trainable, trust=False)
        started, started_cpu = time.monotonic(), time.process_time()
        if values.recipe == contradictions.AUTO:
            trained = recipe.train(splits, loaded, values, StopSignal())
        elif values.recipe == contradictions.SEARCH:
            trained = searched.train(splits, loaded, values, StopSignal(), sources=settings.sources)
        else:
            trained = fine_tuning.train(splits, loaded, values, StopSignal())
        seconds, cpu_seconds = time.monotonic() - started, time.process_time() - started_cpu
    test = trained.test
    assert test is not None
    predicted = test.probabilities.argmax(axis=1)
    right = {
        test.listing.name(example): bool(example.label == answer)
        for example, answer in zip(test.listing.examples, predicted, strict=True)
    }
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rule = str((trained.recipe or {}).get("rule", ""))
    return Run(data, seed, fold, mode, right, seconds, cpu_seconds, memory, rule, tuning_seconds)


def main() -> None:
    """Train as the arguments say and write the result as JSON: FILE DATA SEED FOLD MODE [TUNING_SECONDS]."""
    file, data, seed, fold, mode, *budget = sys.argv[1:]
    tuning_seconds = float(budget[0]) if budget else None
    Path(file).write_text(json.dumps(asdict(train(data, int(seed), int(fold), mode, tuning_seconds))))


if __name__ == "__main__":
    main()
