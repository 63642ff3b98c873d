"""The three parts of a job's data, from its channels."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from image_classifier.contract.errors import UserError
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.contract.opt_ml import OptMl
from image_classifier.imaging import EXTENSIONS
from image_classifier.training import dataset, sharded
from image_classifier.training.dataset import Listing
from image_classifier.training.progress import say

if TYPE_CHECKING:
    from image_classifier.training.distribution import Hosts


@dataclass(frozen=True)
class Data:
    """Training, validation and (when its channel is given) test pictures; the class order is training's."""

    training: Listing
    validation: Listing
    test: Listing | None


def read(opt_ml: OptMl, values: Hyperparameters, hosts: "Hosts | None" = None) -> Data:
    """List the channels; without a `validation` channel a part of `training` is split off.

    Several `hosts` all call it, and all get the same, also of a channel whose files are spread over them.

    Raises:
        UserError: A channel is unusable, or binary mode was asked for with other than two classes.
    """
    whole = _list(opt_ml, "training", hosts)
    if values.binary_mode and len(whole.class_names) != 2:
        raise UserError(
            f"binary_mode=True needs two classes; the training channel has {len(whole.class_names)}: "
            f"{', '.join(whole.class_names[:20])}. Leave binary_mode out, or give two class folders."
        )
    for extension, count in whole.other_files.items():
        say(f"Ignored {count} file(s) ending in {extension}: only {', '.join(sorted(EXTENSIONS))} are pictures.")
    _warn_of_names_that_differ_in_case(whole)
    test = _optional(opt_ml, "test", whole, hosts)
    given = _optional(opt_ml, "validation", whole, hosts)
    if given:
        return Data(whole, given, test)
    training, validation = dataset.split(whole, values.validation_split_ratio, values.random_seed)
    return Data(training, validation, test)


def _list(opt_ml: OptMl, channel: str, hosts: "Hosts | None", class_names: Sequence[str] | None = None) -> Listing:
    folder = opt_ml.channel_dir(channel)
    if hosts and _is_spread(opt_ml, channel, hosts):
        merged = sharded.merge_listings(hosts, dataset.list_part(folder, channel))
        return dataset.complete(merged, channel, class_names)
    listing = dataset.list_channel(folder, channel, class_names)
    if hosts and hosts.count > 1:
        sharded.refuse_unequal(hosts, listing, channel)
    return listing


def _is_spread(opt_ml: OptMl, channel: str, hosts: "Hosts | None") -> bool:
    several = hosts is not None and hosts.count > 1
    return several and sharded.is_sharded(opt_ml.input_data_config_file, channel)


def _optional(opt_ml: OptMl, channel: str, training: Listing, hosts: "Hosts | None") -> Listing | None:
    # Of a channel that is spread over the hosts, this one may have nothing.
    if not opt_ml.channel_dir(channel).is_dir() and not _is_spread(opt_ml, channel, hosts):
        return None
    listing = _list(opt_ml, channel, hosts, training.class_names)
    missing = [name for name, count in listing.counts().items() if not count]
    if missing:
        say(f"The {channel} channel has no picture of: {', '.join(missing)}.")
    return listing


def _warn_of_names_that_differ_in_case(listing: Listing) -> None:
    folded = Counter(name.casefold() for name in listing.class_names)
    twins = [name for name in listing.class_names if folded[name.casefold()] > 1]
    if twins:
        say(f"Class names that differ in case alone are separate classes: {', '.join(twins)}.")


def describe(data: Data) -> list[str]:
    """Return the log's lines about what was found."""
    parts = [("training", data.training), ("validation", data.validation), ("test", data.test)]
    return [
        f"{name}: {len(listing.examples)} pictures of {len(listing.class_names)} classes "
        f"({', '.join(f'{label} {count}' for label, count in list(listing.counts().items())[:20])})"
        for name, listing in parts
        if listing
    ]
