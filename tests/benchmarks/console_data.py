"""Measure the Data screen: the first thumbnail of many images, memory of the server, seconds of a health check.

    scripts/benchmark console_data [--images 100000] [--health FOLDER]

Seconds of a busy machine say little: those of CPU time are printed beside them.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

from image_classifier.console import tasks
from image_classifier.console.datasets import contents, health_process, known, selections, thumbnails
from image_classifier.console.datasets.labels import Overlay
from image_classifier.console.datasets.thumbnail_store import Store
from image_classifier.resources import memory
from tests.support.consoles import client_of, make_console
from tests.support.data_folders import image_bytes

CLASSES = 10


def first_thumbnail(scratch: Path, count: int) -> None:
    """Print the seconds from a data set that was never read to the page of its images and the first thumbnail."""
    photos = scratch / "photos"
    for label in range(CLASSES):
        (photos / f"class {label}").mkdir(parents=True)
        for number in range(count // CLASSES):
            path = photos / f"class {label}" / f"{number:06}.png"
            path.write_bytes(image_bytes(f"{label}/{number}", (16, 16)))
    console = make_console(scratch)
    data_set = known.add(console.home, "many", {"training": photos})
    client = client_of(console)
    started, used = time.perf_counter(), time.process_time()
    assert client.get(f"/data/{data_set.key}/images").status_code == 200
    page, of_page = time.perf_counter() - started, time.process_time() - used
    assert client.get(f"/thumbnails/{data_set.key}?path=training/class 0/000000.png").mimetype == "image/webp"
    whole, processor = time.perf_counter() - started, time.process_time() - used
    print(
        f"{count:,} images: page {page:.2f} s, {of_page:.2f} s of CPU; with its first thumbnail {whole:.2f} s, "
        f"{processor:.2f} s of CPU"
    )
    store = Store(console.cache / "benchmark.sqlite")
    rows = selections.select(contents.read(data_set), Overlay(), selections.Query()).places[:500]
    started = time.perf_counter()
    for place in rows:
        thumbnails.of(store, *place)
    print(f"{len(rows) / (time.perf_counter() - started):.0f} new thumbnails a second, one after the other")
    print(f"resident memory {memory.resident_bytes() / 1e6:.0f} MB")


def check(scratch: Path, folder: Path) -> None:
    """Print the seconds and the memory of a health check of a folder."""
    memory.keep_freed_blocks()  # as the process of a check does
    data_set = known.add(scratch / "home", "real", {"training": folder.resolve()})
    started, used = time.perf_counter(), time.process_time()
    found = contents.read(data_set)
    facts = health_process.check(data_set, found, "", tasks.Reporter(scratch))
    seconds, processor = time.perf_counter() - started, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"health of {facts.images:,} images: {seconds:.1f} s, {processor:.1f} s of CPU, peak {peak:.0f} MB")


def main() -> None:
    """Run what the options ask for."""
    parser = argparse.ArgumentParser(prog="scripts/benchmark console_data", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--health", type=Path, metavar="FOLDER", help="class folders of real images")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="console-data-") as scratch:
        if given.images:
            first_thumbnail(Path(scratch), given.images)
        if given.health:
            check(Path(scratch), given.health)


if __name__ == "__main__":
    main()
