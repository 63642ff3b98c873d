"""model_id=auto: the staged backbone with the best cross-validated head among those that are fast enough."""

import contextlib
import hashlib
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from image_classifier import artifacts
from image_classifier.class_folders.listing import Listing
from image_classifier.contract import hyperparameters
from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.contract.opt_ml import OptMl
from image_classifier.contract.system_names import is_ignored
from image_classifier.contract.training_variables import HUB_DIR
from image_classifier.heads import cross_validation
from image_classifier.heads.cross_validation import Score
from image_classifier.inference.openvino_model.conversion import NotConverted
from image_classifier.training import preparation
from image_classifier.training.checkpoints.store import Checkpoints
from image_classifier.training.data import dataset, decoding
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.distributed.cluster import Cluster
from image_classifier.training.features import feature_network
from image_classifier.training.loop import class_weights, snapshots
from image_classifier.training.loop.fitting import Session
from image_classifier.training.model import backbone, warm_start
from image_classifier.training.progress import log
from image_classifier.training.recipes.record import shown
from image_classifier.training.recipes.stage_store import Stage, StageStore
from image_classifier.training.stopping import StopSignal, raise_if_set

IMAGES = 1000
"""Training images, of all classes, on which the backbones are compared."""
MOST = 3
"""Backbones that a job compares."""
FOLDER = "model-choice"
"""Name of the folder, beside the checkpoints, of the choice that a resumed job keeps."""
_WARM_UPS, _TIMED = 5, 30


@dataclass(frozen=True)
class Candidate:
    """A staged backbone with what was measured."""

    name: str
    score: Score
    milliseconds: float
    """Median time of one image through the serving engine."""
    seconds: float
    """That the comparison took."""

    def line(self) -> str:
        """Return the line of the log."""
        return f"model {self.name}: {shown(self.score)}, {self.milliseconds:.1f} ms an image; {self.seconds:.1f} s"


@dataclass(frozen=True)
class ModelChoice:
    """The chosen backbone and all that were compared."""

    name: str
    rule: str
    candidates: tuple[Candidate, ...]

    def lines(self) -> list[str]:
        """Return the lines of the log."""
        lines = (one.line() for one in self.candidates)
        return [*(f"Recipe: {line}." for line in lines), f"Recipe: model {self.name} is chosen, since {self.rule}."]

    def to_json(self) -> dict[str, Any]:
        """Return the record for the reports."""
        return asdict(self)


@dataclass(frozen=True)
class Job:
    """What the backbones are compared on."""

    opt_ml: OptMl
    given: Mapping[str, Any]
    """Hyperparameters as given."""
    values: Hyperparameters
    data: DataSplits
    cluster: Cluster
    stop: StopSignal


def choose(job: Job, scratch: Path) -> ModelChoice:
    """Compare the staged backbones, or return the choice of an earlier run of this job. Collective.

    Raises:
        UserError: There is a model channel, none or more than `MOST` are staged, or none is within `max_latency_ms`.
        JobStopped: The job was stopped meanwhile.
    """
    # Set again for the rest of the job: the chosen model may have another default.
    job.stop.set_time_limit(job.values.max_runtime)
    names = _names(job)
    some = sample(job.data.training, job.values.random_seed)
    checkpoints = None
    if job.opt_ml.checkpoints_dir.is_dir() and job.cluster.is_chief:
        sources = {
            "classes": list(some.class_names),
            "training images": dataset.fingerprint(job.data.training),
            "staged": names,
        }
        checkpoints = Checkpoints(job.opt_ml.checkpoints_dir / FOLDER, snapshots.identity(job.values, sources))
    session = Session(job.stop, job.cluster, checkpoints)
    stages = StageStore(session)
    candidates = [
        _candidate(job, session, stages, name, some, scratch / str(index)) for index, name in enumerate(names)
    ]
    choice = best(candidates, job.values.max_latency_ms)
    for line in choice.lines():
        log(line)
    return choice


def _names(job: Job) -> list[str]:
    channel = job.opt_ml.channel_dir("model")
    if channel.is_dir() and not all(is_ignored(path.name) for path in channel.iterdir()):
        raise UserError(f"model_id is auto, and the model channel {channel} holds a model. Give one of them.")
    names = backbone.staged()
    if not 1 <= len(names) <= MOST:
        raise UserError(
            f"model_id=auto compares one to {MOST} staged backbones, and {HUB_DIR.read()} holds {len(names)}: "
            f"{', '.join(names) or 'nothing'}. Stage up to {MOST} of them, or name one as model_id."
        )
    return names


def _candidate(job: Job, session: Session, stages: StageStore, name: str, some: Listing, scratch: Path) -> Candidate:
    stage = f"model_{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    if not (found := stages.get(stage)):
        started = time.monotonic()
        features, labels, loaded = _features(job, session, name, some, scratch)
        with _naming(name):
            found = stages.on_chief(stage, lambda: _measured(job, features, labels, loaded, started))
        shutil.rmtree(scratch, ignore_errors=True)
    return Candidate(name, Score(**found.state["score"]), found.state["milliseconds"], found.state["seconds"])


def _features(
    job: Job, session: Session, name: str, some: Listing, scratch: Path
) -> tuple[NDArray[np.float32], NDArray[np.int64], backbone.Backbone]:
    folder = backbone.locate(job.opt_ml, name, scratch)
    defaults = warm_start.model_defaults(artifacts.read_model_info(folder), job.values)
    values = replace(hyperparameters.parse(job.given, defaults).values, train_only_top_layer=True)
    with session.cluster.strategy.scope():
        loaded = backbone.load(folder, False, values.trust_model)
    data = DataSplits(some, replace(some, examples=()), None)
    network = preparation.feature_network(loaded, values, session, data)
    prepare = preparation.prepare_function(loaded, values, session, network)
    prepared = prepare(some, f"Images for model {name}")
    decoding.reject_too_many(prepared.skipped_before, len(some.examples), values.max_bad_fraction)
    return np.asarray(prepared.rows.inputs), prepared.rows.labels, loaded


@contextlib.contextmanager
def _naming(name: str) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise UserError(f"Model {name}: {error}") from error


def _measured(
    job: Job, features: NDArray[np.float32], labels: NDArray[np.int64], loaded: backbone.Backbone, started: float
) -> Stage:
    names, counts = job.data.training.class_names, job.data.training.counts()
    weights = class_weights.weights(job.values, names, [counts[name] for name in names])
    selection = cross_validation.select(
        features,
        labels,
        len(names),
        job.values.random_seed,
        binary=job.values.binary_mode,
        sample_weights=weights[labels],
        check=lambda: raise_if_set(job.stop),
    )
    score = selection.scores[selection.strength]
    milliseconds = one_image_milliseconds(loaded)
    seconds = time.monotonic() - started
    return Stage({"score": asdict(score), "milliseconds": milliseconds, "seconds": seconds}, {})


def one_image_milliseconds(loaded: backbone.Backbone) -> float:
    """Return the median time of one image, in milliseconds, without its decoding."""
    function = loaded.feature_function()
    engine: Callable[[Any], Any] = lambda pixels: np.asarray(function(tf.constant(pixels)))  # noqa: E731
    if not tf.config.list_physical_devices("GPU"):
        # A server without a GPU runs TensorFlow only where OpenVINO cannot.
        with contextlib.suppress(NotConverted):
            engine = feature_network.converted(function, loaded.info)
    image = np.zeros((1, *loaded.info.image_size, 3), np.uint8)
    times = []
    for _ in range(_WARM_UPS + _TIMED):
        started = time.perf_counter()
        engine(image)
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times[_WARM_UPS:])


def best(candidates: Sequence[Candidate], limit: float) -> ModelChoice:
    """Return the most accurate candidate that takes at most `limit` milliseconds; 0: any.

    Raises:
        UserError: None does.
    """
    allowed = [one for one in candidates if not limit or one.milliseconds <= limit]
    if not allowed:
        measured = ", ".join(f"{one.name} {one.milliseconds:.1f}" for one in candidates)
        raise UserError(
            f"No staged backbone classifies an image within max_latency_ms={limit:g} on this machine (milliseconds: "
            f"{measured}). Raise the limit, or stage a faster backbone."
        )
    # Equal accuracy: the faster one.
    chosen = max(allowed, key=lambda one: (one.score.accuracy, -one.milliseconds))
    within = f" of the {len(allowed)} within max_latency_ms={limit:g}" if limit else f" of {len(allowed)}"
    return ModelChoice(chosen.name, f"its cross-validated accuracy is the best{within}", tuple(candidates))


def sample(listing: Listing, seed: int) -> Listing:
    """Return at most about `IMAGES` images, the same share of each class but at least two, in order."""
    share = IMAGES / len(listing.examples)
    if share >= 1:
        return listing
    labels = dataset.labels(listing.examples)
    drawn = np.random.default_rng(seed).permutation(len(labels))
    chosen: list[int] = []
    for label in range(len(listing.class_names)):
        of_class = drawn[labels[drawn] == label]
        chosen += of_class[: max(2, round(share * len(of_class)))].tolist()
    return replace(listing, examples=tuple(listing.examples[index] for index in sorted(chosen)))
