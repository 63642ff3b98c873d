"""Sharded channels (`ShardedByS3Key`): one listing of the files of all hosts, with the host that has each file."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from image_classifier.class_folders.listing import Example, Listing
from image_classifier.contract import opt_ml
from image_classifier.contract.errors import UserError
from image_classifier.training.data.dataset import fingerprint

if TYPE_CHECKING:
    from image_classifier.training.distributed.cluster import Cluster

DISTRIBUTION = "S3DistributionType"
SHARDED = "ShardedByS3Key"


def is_sharded(input_data_config: Path, channel: str) -> bool:
    """Return whether each host got a part of the channel's files; False when `inputdataconfig.json` does not say.

    Raises:
        UserError: `inputdataconfig.json` is not JSON.
    """
    found = opt_ml.read_json(input_data_config, "an object of channels")
    described = found.get(channel) if isinstance(found, dict) else None
    return isinstance(described, dict) and described.get(DISTRIBUTION) == SHARDED


def merge_listings(cluster: "Cluster", listing: Listing) -> Listing:
    """Return the listing of all hosts' files of a channel, with their owners. Collective: every host must call it.

    Class names are the sorted union, so a class folder may be missing on a host. Examples are in the order of a host
    with all files. A file that several hosts have belongs to the first of them; the path of another host's file does
    not exist on this host.
    """
    mine = {
        "class_names": listing.class_names,
        "files": [(listing.name(example), example.label) for example in listing.examples],
        "other_files": dict(listing.other_files),
    }
    every = cluster.gather_json(mine)
    names = tuple(sorted({name for each in every for name in each["class_names"]}))
    index = {name: label for label, name in enumerate(names)}
    found: dict[tuple[int, tuple[str, ...]], int] = {}
    for rank, each in enumerate(every):
        for name, label in each["files"]:
            found.setdefault((index[each["class_names"][label]], tuple(name.split("/"))), rank)
    # A folder is walked by the names in it, which is the order of the paths' parts, not of their text.
    order = sorted(found)
    examples = tuple(Example(Path(f"{listing.folder}/{'/'.join(key[1])}"), key[0], found[key]) for key in order)
    other = _sum(each["other_files"] for each in every)
    return Listing(listing.folder, names, examples, other, listing.unused)


def _sum(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in counts:
        for name, count in each.items():
            total[name] = total.get(name, 0) + count
    return total


def reject_unequal(cluster: "Cluster", listing: Listing, channel: str) -> None:
    """Fail the job on every host when the hosts list different files. Collective: every host must call it.

    Raises:
        UserError: They do; the message has the number of files of each host.
    """
    found = cluster.gather_json([fingerprint(listing), len(listing.examples)])
    if any(each[0] != found[0][0] for each in found):
        counts = ", ".join(f"{name} {count}" for name, (_, count) in zip(cluster.names, found, strict=True))
        raise UserError(
            f"The hosts of this job have different images in the {channel} channel ({counts}). Give each host all of "
            "them (S3DistributionType FullyReplicated), or name the channel ShardedByS3Key in inputdataconfig.json."
        )
