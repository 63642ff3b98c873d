"""What the tests of several hosts do in each of their processes: `on_hosts.py WHAT RANK HOSTS`."""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from image_classifier import tensorflow_start
from image_classifier.contract.opt_ml import Resources
from tests.unit.training import optimizing

STEPS = ("sgd", "float16")
"""Cases of `optimizing`: the second clips the gradients of all hosts and leaves out a step that overflows on one."""
DTYPES = ("float32", "float64", "int64", "uint8", "bool", "int16", "U4")


def rows(rank: int, dtype: str) -> Any:
    """Return the rows that a host has: none on the first, three on the second, six on the third."""
    count = 3 * rank
    return (np.arange(2 * count).reshape(count, 2) + 7 * rank).astype(dtype)


def gather(cluster: Any) -> dict[str, Any]:
    """Return what each call for all hosts gave."""
    from image_classifier.class_folders.listing import Example, Listing
    from image_classifier.training.data import sharded
    from image_classifier.training.distributed import cluster as cluster_module

    # Small, so that the rows need several exchanges and the last one is not full on every host.
    found: dict[str, Any] = {dtype: cluster.gather(rows(cluster.rank, dtype)).tolist() for dtype in DTYPES}
    cluster_module.CHUNK_BYTES = 64
    found["in pieces"] = cluster.gather(rows(cluster.rank, "float64") / 3).tolist()
    found["none"] = list(cluster.gather(np.zeros((0, 4), np.float32)).shape)
    found["steps"] = {name: vars(optimizing.run(cluster.strategy, **optimizing.CASES[name])) for name in STEPS}
    found["told"] = cluster.gather_json({"rank": cluster.rank, "text": "ä" * cluster.rank})
    found["share of 5"] = [cluster.share(5).start, cluster.share(5).stop]
    names = (("ant", "cat"), ("bee", "cat"))[cluster.rank]
    files = (("ant/1.jpg", "cat/b/2.jpg"), ("bee/3.jpg", "cat/b.jpg", "cat/a.jpg"))[cluster.rank]
    folder = Path(f"/on-{cluster.rank}")
    examples = tuple(Example(folder / file, names.index(file.split("/")[0])) for file in files)
    merged = sharded.merge_listings(cluster, Listing(folder, names, examples, {".txt": 1 + cluster.rank}))
    found["merged"] = {
        "classes": merged.class_names,
        "files": [[merged.name(example), example.label] for example in merged.examples],
        "paths": str(merged.examples[0].path),
        "owners": [example.owner for example in merged.examples],
        "other": dict(merged.other_files),
    }
    return found


def differ(cluster: Any) -> dict[str, Any]:
    """Give rows of different kinds."""
    return {"gathered": cluster.gather(np.zeros((1, 2 + cluster.rank))).tolist()}


def unequal(cluster: Any) -> dict[str, Any]:
    """Compare the files of a folder that both hosts have, then of one that has another file on each."""
    from image_classifier.class_folders import channel_listing
    from image_classifier.training.data import sharded

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in ("ant/1.jpg", "bee/1.jpg"):
            (folder / name).parent.mkdir()
            (folder / name).touch()
        sharded.reject_unequal(cluster, channel_listing.list_channel(folder, "training"), "training")
        (folder / "bee" / f"of-{cluster.rank}.jpg").touch()
        sharded.reject_unequal(cluster, channel_listing.list_channel(folder, "training"), "training")
    return {}


def lose(cluster: Any, end: Callable[[], None]) -> dict[str, Any]:
    """Repeat a step in which all hosts sum; the last host ends after some, in the way that is given."""
    import tensorflow as tf

    def total() -> Any:
        return tf.distribute.get_replica_context().all_reduce("sum", tf.ones(10))

    step = tf.function(lambda: cluster.strategy.run(total))
    for number in range(100_000):
        with cluster.collective_timeout():
            step()
        if number == 20 and cluster.rank == cluster.count - 1:
            end()
    return {}


def end(cluster: Any, chief: Callable[[], None]) -> dict[str, Any]:
    """Come to the end, to which the chief comes after something of its own."""
    cluster.gather_json("here")
    if cluster.is_chief:
        chief()
    cluster.barrier(60)
    return {}


WAYS = {"gather": gather, "differ": differ, "unequal": unequal}


def main(what: str, rank: int, names: tuple[str, ...]) -> None:
    """Start as one of the hosts, and print what was found, or the sentence for the error that came, as JSON."""
    tensorflow_start.start()
    from image_classifier.training.distributed import lost_hosts
    from image_classifier.training.distributed.cluster import start

    cluster = start(Resources(current_host=names[rank], hosts=names))
    ends: dict[str, Callable[[], None]] = {
        "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "frozen": lambda: os.kill(os.getpid(), signal.SIGSTOP),
        "hanging": lambda: time.sleep(60),
        "late": lambda: time.sleep(6),
    }
    started = time.monotonic()
    try:
        if what.startswith("chief "):
            found = end(cluster, ends[what.removeprefix("chief ")])
        else:
            found = lose(cluster, ends[what]) if what in ends else WAYS[what](cluster)
    except Exception as error:
        explained = lost_hosts.explain(error, cluster.names)
        found = {"error": type(error).__name__, "text": str(error), "said": str(explained) if explained else None}
    found["seconds"] = time.monotonic() - started
    print(f"\nFOUND {json.dumps(found)}", flush=True)
    # The host that lost another one must also end: TensorFlow must not wait for the lost one at the end.
    sys.exit(3 if "error" in found else 0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), tuple(sys.argv[3].split(",")))
