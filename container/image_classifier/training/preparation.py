"""Prepare the training inputs: features of a frozen backbone, or pixels that are decoded on demand."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier.class_folders.listing import Example, Listing
from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.contract.names import on_one_line
from image_classifier.training import progress, stopping
from image_classifier.training.data import dataset, decoding
from image_classifier.training.data.batches import Rows
from image_classifier.training.data.decoding import CachedImages, Decoder, Skipped
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.distributed.cluster import Cluster
from image_classifier.training.features import feature_chunks, feature_pass
from image_classifier.training.features.feature_chunks import ChunkFolder
from image_classifier.training.features.feature_network import FeatureNetwork
from image_classifier.training.features.feature_pass import FeatureStore
from image_classifier.training.loop.fitting import Session
from image_classifier.training.model.backbone import Backbone
from image_classifier.training.stopping import JobStopped

FEATURES = "features"
"""Name of the folder, beside the checkpoints, of features that a resumed job reuses."""


@dataclass(frozen=True)
class Prepared:
    """One split of the data as training inputs."""

    listing: Listing
    rows: Rows
    skipped_before: tuple[Skipped, ...]
    """Images that the feature pass could not read; they are not in `listing` and `rows`."""
    seconds: float

    def skipped(self, cluster: Cluster) -> tuple[Skipped, ...]:
        """Return the unreadable images that any host has met so far. Collective: every host must call it."""
        images = self.rows.inputs
        if not isinstance(images, CachedImages):
            return self.skipped_before
        if cluster.count == 1:
            return images.skipped
        of_hosts = cluster.gather_json([[str(one.path), one.reason] for one in images.skipped])
        reasons = {path: reason for of_host in of_hosts for path, reason in of_host}
        return tuple(Skipped(Path(path), reasons[path]) for path in sorted(reasons))

    def without(self, skipped: Sequence[Skipped]) -> Listing:
        """Return the listing without the skipped images."""
        paths = {one.path for one in skipped}
        return replace(self.listing, examples=tuple(one for one in self.listing.examples if one.path not in paths))

    def features(self, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32] | None:
        """Return the features of some rows, by default of all, without a copy if they are all; None of pixels."""
        inputs = self.rows.inputs
        if isinstance(inputs, CachedImages):
            return None
        return inputs if rows is None or np.array_equal(rows, np.arange(len(inputs))) else inputs[rows]

    def chosen(self, rows: NDArray[np.int64]) -> Listing:
        """Return the listing of the images of some rows."""
        return replace(self.listing, examples=tuple(self.listing.examples[row] for row in rows))


@dataclass(frozen=True)
class PreparedData:
    """Training and validation as training inputs, and how to prepare more."""

    network: FeatureNetwork | None
    """Computes features; None when the job trains on pixels."""
    prepare: Callable[[Listing, str], Prepared]
    """From a listing and the name of its phase in the log."""
    training: Prepared
    validation: Prepared


def prepare_data(
    data: DataSplits, backbone: Backbone, values: Hyperparameters, session: Session, checkpoints_dir: Path | None
) -> PreparedData:
    """Prepare training and validation; features are kept in `checkpoints_dir` and reused. Collective.

    Raises:
        JobStopped: The job was stopped meanwhile.
        UserError: Too many images are unreadable, or a class lost all of its images.
    """
    network = feature_network(backbone, values, session, data)
    features_dir = checkpoints_dir / FEATURES if checkpoints_dir else None
    prepare = prepare_function(backbone, values, session, network, features_dir)
    training = prepare(data.training, "Training images")
    validation = prepare(data.validation, "Validation images")
    if stopping.stop_requested_on_any_host(session.stop, session.cluster):
        raise JobStopped
    reject_unreadable(data, [training, validation], values, session.cluster)
    return PreparedData(network, prepare, training, validation)


def feature_network(
    backbone: Backbone, values: Hyperparameters, session: Session, data: DataSplits
) -> FeatureNetwork | None:
    """Return the network that computes the features of all splits; None when the job trains on pixels."""
    if not uses_features(values):
        return None
    images = sum(len(part.examples) for part in (data.training, data.validation, data.test) if part)
    return FeatureNetwork(backbone, session.cluster, images, session.precision)


def uses_features(values: Hyperparameters) -> bool:
    """Return whether the backbone sees every image only once: it is frozen, and the images are not augmented."""
    return values.train_only_top_layer and not values.augmentation


def prepare_function(
    backbone: Backbone,
    values: Hyperparameters,
    session: Session,
    network: FeatureNetwork | None,
    features_dir: Path | None = None,
) -> Callable[[Listing, str], Prepared]:
    """Return a function from a listing to its rows: features by `network`, or without one images decoded on demand.

    Computed features are stored in `features_dir` and reused from there.
    """
    decoder = Decoder(backbone.info.image_size, values.image_resize_interpolation)

    def prepare(listing: Listing, phase: str) -> Prepared:
        started = time.monotonic()
        examples, owners = listing.examples, _owners(listing.examples)
        if network is None:
            images = CachedImages(decoder, examples, progress.counter(phase, len(examples)))
            return Prepared(listing, Rows(images, dataset.labels(examples), owners), (), time.monotonic() - started)
        key = feature_chunks.network_key(backbone.info, decoder.resize_method, network.planned_engine)
        chunks = ChunkFolder(features_dir / phase.split()[0].lower(), key) if features_dir else None

        def compute(some: Sequence[Example], part: slice | None = None) -> FeatureStore:
            return feature_pass.compute(network, decoder, some, phase, session.stop, session.cluster, chunks, part)

        store = compute(examples) if owners is None else _compute_own_files(compute, examples, owners, session.cluster)
        rows = Rows(store.features, dataset.labels(store.examples))
        return Prepared(replace(listing, examples=store.examples), rows, store.skipped, time.monotonic() - started)

    return prepare


def reject_unreadable(data: DataSplits, parts: Sequence[Prepared], values: Hyperparameters, cluster: Cluster) -> None:
    """Fail the job when too many images of training and validation, or all of a class, are unreadable.

    Raises:
        UserError: They are; the message names the first of them.
    """
    skipped_of_parts = [part.skipped(cluster) for part in parts]
    skipped = [one for of_part in skipped_of_parts for one in of_part]
    if not skipped:
        return
    total = len(data.training.examples) + len(data.validation.examples)
    decoding.reject_too_many(skipped, total, values.max_bad_fraction)
    training, validation = (part.without(of_part) for part, of_part in zip(parts, skipped_of_parts, strict=True))
    empty = [name for name, count in training.counts().items() if not count]
    if empty or not validation.examples:
        raise UserError(
            f"No image of {', '.join(empty) or 'the validation split'} is readable; "
            f"first: {on_one_line(skipped[0].path.name)}: {skipped[0].reason} Replace the corrupt files."
        )


def _owners(examples: Sequence[Example]) -> NDArray[np.int64] | None:
    owners = [example.owner for example in examples]
    return None if None in owners else np.array(owners, np.int64)


def _compute_own_files(
    compute: Callable[[Sequence[Example], slice], FeatureStore],
    examples: Sequence[Example],
    owners: NDArray[np.int64],
    cluster: Cluster,
) -> FeatureStore:
    """Compute the features of each host's own files on that host; the result is in the order of `examples`."""
    by_owner = np.argsort(owners, kind="stable")
    start, stop = np.searchsorted(owners[by_owner], [cluster.rank, cluster.rank + 1]).tolist()
    store = compute([examples[index] for index in by_owner], slice(start, stop))
    indices = {example.path: index for index, example in enumerate(examples)}
    order = np.argsort([indices[example.path] for example in store.examples])
    return replace(store, features=store.features[order], examples=tuple(store.examples[index] for index in order))
