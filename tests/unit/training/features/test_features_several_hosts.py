"""Several hosts compute the features of a share each: threads of one process that exchange rows through a barrier."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier.class_folders.listing import Example
from image_classifier.training.data.decoding import Decoder, Pixels
from image_classifier.training.distributed import cluster
from image_classifier.training.distributed.cluster import Cluster
from image_classifier.training.features import feature_pass
from image_classifier.training.features.feature_chunks import ChunkFolder
from image_classifier.training.stopping import JobStopped, StopSignal
from tests.unit.training import small

DECODER = Decoder((4, 6), "bilinear")

pytestmark = pytest.mark.usefixtures("short_chunks")


@dataclass(frozen=True)
class Meeting:
    """Where `count` threads put what they give each other."""

    barrier: threading.Barrier
    given: dict[int, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Threads(Cluster):
    """Hosts that are threads."""

    meeting: Meeting = field(default_factory=lambda: Meeting(threading.Barrier(1)))

    @property
    def local_replicas(self) -> int:
        """One device each."""
        return 1

    def gather_json(self, value: Any) -> list[Any]:
        """Return what each of them gave."""
        self.meeting.given[self.rank] = value
        self.meeting.barrier.wait(60)
        found = [self.meeting.given[rank] for rank in range(self.count)]
        self.meeting.barrier.wait(60)
        return found

    def gather(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return the rows of all."""
        return np.concatenate(self.gather_json(rows.copy()))


def on_hosts(count: int, job: Callable[[Cluster], Any]) -> list[Any]:
    """Run `job` on each of `count` hosts; return what each returned or raised."""
    meeting = Meeting(threading.Barrier(count))
    strategy = cluster.single_host().strategy

    def one(rank: int) -> Any:
        try:
            return job(Threads(strategy, rank, count, meeting=meeting))
        except JobStopped as stopped:
            return stopped

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


@pytest.fixture
def examples(tmp_path: Path) -> list[Example]:
    """Twenty-three images whose grey level is their number."""
    return small.grey_levels(tmp_path, 23)


def levels(pixels: Pixels) -> NDArray[np.float32]:
    """Answer an image's grey level and its square."""
    level = pixels[:, 0, 0, 0].astype(np.float32)
    return np.stack([level, level**2], axis=1)


@pytest.mark.parametrize("count", [2, 3, 30])
def test_every_host_has_all_rows(examples: list[Example], count: int) -> None:
    """Given unreadable images on several hosts -> each host returns the rows and the list that one host returns."""
    for index in (1, 20, 22):
        examples[index].path.write_text("no image")
    alone = feature_pass.compute(levels, DECODER, examples, "Images", StopSignal())
    found = on_hosts(count, lambda cluster: feature_pass.compute(levels, DECODER, examples, "P", StopSignal(), cluster))
    for store in found:
        assert np.array_equal(store.features, alone.features)
        assert store.examples == alone.examples
        assert store.skipped == alone.skipped


def test_a_host_computes_only_its_share(examples: list[Example]) -> None:
    """Given two hosts -> the first computes eleven images, the second the other twelve."""
    seen: dict[int, list[float]] = {0: [], 1: []}

    def job(cluster: Cluster) -> None:
        def network(pixels: Pixels) -> NDArray[np.float32]:
            found = levels(pixels)
            seen[cluster.rank] += found[:, 0].tolist()
            return found

        feature_pass.compute(network, DECODER, examples, "Images", StopSignal(), cluster)

    on_hosts(2, job)
    assert seen == {0: list(range(11)), 1: list(range(11, 23))}


def test_hosts_with_different_files_compute_their_own(examples: list[Example]) -> None:
    """Given one host with four images and one with the rest -> both return all rows."""

    def job(cluster: Cluster) -> Any:
        part = (slice(0, 4), slice(4, 23))[cluster.rank]
        return feature_pass.compute(levels, DECODER, examples, "Images", StopSignal(), cluster, part=part)

    assert [store.features[:, 0].tolist() for store in on_hosts(2, job)] == 2 * [list(range(23))]


def test_all_hosts_stop_when_one_is_stopped(examples: list[Example], tmp_path: Path) -> None:
    """Given a stop on the second host only -> both stop, and a restart on three hosts computes the missing images."""
    stop, chunks = StopSignal(), ChunkFolder(tmp_path / "features", "key")

    def first(cluster: Cluster) -> Any:
        def network(pixels: Pixels) -> NDArray[np.float32]:
            if cluster.rank == 1:
                stop.set()
            return levels(pixels)

        mine = stop if cluster.rank == 1 else StopSignal()
        return feature_pass.compute(network, DECODER, examples, "Images", mine, cluster, chunks)

    assert [type(ended) for ended in on_hosts(2, first)] == [JobStopped, JobStopped]
    kept = sorted(path.name for path in chunks.folder.iterdir())
    assert kept == ["key-000000000-000000004.features", "key-000000011-000000015.features"]
    again: list[float] = []

    def second(cluster: Cluster) -> Any:
        def network(pixels: Pixels) -> NDArray[np.float32]:
            again.extend(levels(pixels)[:, 0].tolist())
            return levels(pixels)

        return feature_pass.compute(network, DECODER, examples, "Images", StopSignal(), cluster, chunks)

    for store in on_hosts(3, second):
        assert store.features[:, 0].tolist() == list(range(23))
    assert sorted(again) == [level for level in range(23) if level not in (*range(4), *range(11, 15))]
