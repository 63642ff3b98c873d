"""The splits of a job's data - training, validation, test - from its channels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from image_classifier.class_folders import channel_listing, channel_scan
from image_classifier.class_folders.channel_scan import Scan
from image_classifier.class_folders.listing import Listing
from image_classifier.class_folders.problems import raise_all
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.contract.names import look_alike, unmistakable
from image_classifier.contract.opt_ml import OptMl
from image_classifier.training.data import dataset, preflight, sharded
from image_classifier.training.progress import log

if TYPE_CHECKING:
    from image_classifier.training.distributed.cluster import Cluster


@dataclass(frozen=True)
class DataSplits:
    """Training, validation and (when its channel is given) test images; the class order is training's."""

    training: Listing
    validation: Listing
    test: Listing | None
    validation_given: bool = True
    """Whether a channel or a manifest gives validation; otherwise it was split off from training."""


def read(
    opt_ml: OptMl,
    values: Hyperparameters,
    cluster: "Cluster | None" = None,
    scans: Mapping[str, Scan] | None = None,
) -> DataSplits:
    """List the channels; without a `validation` channel a part of `training` is split off.

    A manifest of the training channel may give the splits of its images instead.

    Collective in a `cluster`: all hosts get the same result, also for sharded channels. `scans` are the results of
    `preflight.check`; without them the channels are scanned here.

    Raises:
        UserError: A channel is unusable, or a hyperparameter asks for other classes than there are.
        PlatformError: A folder or a file cannot be read.
    """
    scans = preflight.check(opt_ml, values) if scans is None else scans
    whole = _list(opt_ml, scans, "training", cluster)
    raise_all(preflight.problems_of_values(whole.class_names, values))
    for line in whole.unused.lines(whole.other_files):
        log(line)
    _warn_of_names_that_look_alike(whole)
    parts = dataset.given_parts(whole)
    test = _optional(opt_ml, scans, "test", whole, cluster) or parts.get("test")
    given = _optional(opt_ml, scans, "validation", whole, cluster) or parts.get("validation")
    if given:
        return DataSplits(parts["training"], given, test)
    training, validation = dataset.split(parts["training"], values.validation_split_ratio, values.random_seed)
    return DataSplits(training, validation, test, validation_given=False)


def _list(
    opt_ml: OptMl,
    scans: Mapping[str, Scan],
    channel: str,
    cluster: "Cluster | None",
    class_names: Sequence[str] | None = None,
) -> Listing:
    # This host may have no file of a sharded channel.
    scan = scans.get(channel) or channel_scan.scan(opt_ml.channel_dir(channel), channel)
    if cluster and _is_sharded(opt_ml, channel, cluster):
        merged = sharded.merge_listings(cluster, scan.listing)
        return channel_listing.complete(replace(scan, listing=merged), class_names)
    listing = channel_listing.complete(scan, class_names)
    if cluster and cluster.count > 1:
        sharded.reject_unequal(cluster, listing, channel)
    return listing


def _is_sharded(opt_ml: OptMl, channel: str, cluster: "Cluster | None") -> bool:
    several = cluster is not None and cluster.count > 1
    return several and sharded.is_sharded(opt_ml.input_data_config_file, channel)


def _optional(
    opt_ml: OptMl, scans: Mapping[str, Scan], channel: str, training: Listing, cluster: "Cluster | None"
) -> Listing | None:
    if channel not in scans and not _is_sharded(opt_ml, channel, cluster):
        return None
    listing = _list(opt_ml, scans, channel, cluster, training.class_names)
    for line in listing.unused.lines(listing.other_files):
        log(f"In the {channel} channel: {line}")
    missing = [name for name, count in listing.counts().items() if not count]
    if missing:
        log(f"The {channel} channel has no image of: {', '.join(missing)}.")
    return listing


def _warn_of_names_that_look_alike(listing: Listing) -> None:
    alike = Counter(map(look_alike, listing.class_names))
    if twins := [unmistakable(name) for name in listing.class_names if alike[look_alike(name)] > 1]:
        log(
            "WARNING: Class names that differ only in case, spaces or characters that are hard to see are separate "
            f"classes: {', '.join(twins)}. If two of them are one class, merge their images."
        )


def describe(data: DataSplits) -> list[str]:
    """Return the log lines about the splits."""
    parts = [("training", data.training), ("validation", data.validation), ("test", data.test)]
    return [
        f"{name}: {len(listing.examples)} images of {len(listing.class_names)} classes "
        f"({', '.join(f'{label} {count}' for label, count in list(listing.counts().items())[:20])})"
        for name, listing in parts
        if listing
    ]
