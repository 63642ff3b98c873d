"""Turn listed images into what is trained on: features of a frozen backbone, or pixels decoded on demand."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.contract.names import on_one_line
from image_classifier.training import progress
from image_classifier.training.data import decoding
from image_classifier.training.data.batches import Rows
from image_classifier.training.data.dataset import Example, Listing
from image_classifier.training.data.decoding import CachedImages, Decoder, Skipped
from image_classifier.training.data.splits import DataSplits
from image_classifier.training.distributed.cluster import Cluster
from image_classifier.training.features import feature_chunks, feature_pass
from image_classifier.training.features.feature_chunks import ChunkFolder
from image_classifier.training.features.feature_network import FeatureNetwork
from image_classifier.training.features.feature_pass import FeatureStore
from image_classifier.training.loop.fitting import Session
from image_classifier.training.model.backbone import Backbone

FEATURES = "features"
"""The folder, beside the checkpoints, of features that a restart need not compute again."""


@dataclass(frozen=True)
class Prepared:
    """One part of the data as the trained model takes it."""

    listing: Listing
    rows: Rows
    skipped_before: tuple[Skipped, ...]
    """Left out of `found` and `rows`, since they could not be read when the features were computed."""
    seconds: float

    def skipped(self, cluster: Cluster) -> tuple[Skipped, ...]:
        """Return the images that could not be read, as far as any host asked for them; every host must ask."""
        images = self.rows.inputs
        if not isinstance(images, CachedImages):
            return self.skipped_before
        if cluster.count == 1:
            return images.skipped
        every = cluster.gather_json([[str(one.path), one.reason] for one in images.skipped])
        reasons = {path: reason for each in every for path, reason in each}
        return tuple(Skipped(Path(path), reasons[path]) for path in sorted(reasons))

    def without(self, skipped: Sequence[Skipped]) -> Listing:
        """Return the other images."""
        gone = {one.path for one in skipped}
        return replace(self.listing, examples=tuple(one for one in self.listing.examples if one.path not in gone))

    def chosen(self, rows: NDArray[np.int64]) -> Listing:
        """Return the images of some rows."""
        return replace(self.listing, examples=tuple(self.listing.examples[row] for row in rows))


def feature_network(
    backbone: Backbone, values: Hyperparameters, session: Session, data: DataSplits
) -> FeatureNetwork | None:
    """Return what computes the features of all parts of `data`; None when the job needs none."""
    if not uses_features(values):
        return None
    images = sum(len(part.examples) for part in (data.training, data.validation, data.test) if part)
    return FeatureNetwork(backbone, session.cluster, images, session.precision)


def uses_features(values: Hyperparameters) -> bool:
    """Tell whether the backbone needs to see every image only once: it is frozen and the images never change."""
    return values.train_only_top_layer and not values.augmentation


def prepare_function(
    backbone: Backbone,
    values: Hyperparameters,
    session: Session,
    network: FeatureNetwork | None,
    features_dir: Path | None = None,
) -> Callable[[Listing, str], Prepared]:
    """Return what turns a listing into rows: features by `network`, or images decoded on demand without one.

    Finished parts of the features are kept in `features_dir`, and taken from there.
    """
    decoder = Decoder(backbone.info.image_size, values.image_resize_interpolation)

    def prepare(listing: Listing, phase: str) -> Prepared:
        started = time.monotonic()
        examples, owners = listing.examples, _owners(listing.examples)
        if network is None:
            images = CachedImages(decoder, examples, progress.counter(phase, len(examples)))
            return Prepared(listing, Rows(images, _labels(examples), owners), (), time.monotonic() - started)
        key = feature_chunks.network_key(backbone.info, decoder.resize_method, network.planned)
        chunks = ChunkFolder(features_dir / phase.split()[0].lower(), key) if features_dir else None

        def compute(some: Sequence[Example], part: slice | None = None) -> FeatureStore:
            return feature_pass.compute(network, decoder, some, phase, session.stop, session.cluster, chunks, part)

        store = compute(examples) if owners is None else _of_owners(compute, examples, owners, session.cluster)
        rows = Rows(store.features, _labels(store.examples))
        return Prepared(replace(listing, examples=store.examples), rows, store.skipped, time.monotonic() - started)

    return prepare


def reject_losses(data: DataSplits, parts: Sequence[Prepared], values: Hyperparameters, cluster: Cluster) -> None:
    """Stop the job when too many images of both parts, or all of a class, could not be read.

    Raises:
        UserError: It is so; the message names the first of them.
    """
    each = [part.skipped(cluster) for part in parts]
    skipped = [one for lost in each for one in lost]
    if not skipped:
        return
    total = len(data.training.examples) + len(data.validation.examples)
    decoding.reject_too_many(skipped, total, values.max_bad_fraction)
    training, validation = (part.without(lost) for part, lost in zip(parts, each, strict=True))
    empty = [name for name, count in training.counts().items() if not count]
    if empty or not validation.examples:
        raise UserError(
            f"No readable image is left of {', '.join(empty) or 'the validation images'}; "
            f"first: {on_one_line(skipped[0].path.name)}: {skipped[0].reason} Replace the corrupt files."
        )


def _labels(examples: Sequence[Example]) -> NDArray[np.int64]:
    return np.array([example.label for example in examples], np.int64)


def _owners(examples: Sequence[Example]) -> NDArray[np.int64] | None:
    owners = [example.owner for example in examples]
    return None if None in owners else np.array(owners, np.int64)


def _of_owners(
    compute: Callable[[Sequence[Example], slice], FeatureStore],
    examples: Sequence[Example],
    owners: NDArray[np.int64],
    cluster: Cluster,
) -> FeatureStore:
    """Let each host compute the features of its own files; the result is in the order of `examples` again."""
    by_owner = np.argsort(owners, kind="stable")
    start, stop = np.searchsorted(owners[by_owner], [cluster.rank, cluster.rank + 1]).tolist()
    store = compute([examples[place] for place in by_owner], slice(start, stop))
    places = {example.path: place for place, example in enumerate(examples)}
    order = np.argsort([places[example.path] for example in store.examples])
    return replace(store, features=store.features[order], examples=tuple(store.examples[place] for place in order))
