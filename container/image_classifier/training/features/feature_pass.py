"""The feature pass: run a frozen backbone once over every image."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.class_folders.listing import Example
from image_classifier.training import progress
from image_classifier.training.data.decoding import Decoder, Pixels, Skipped
from image_classifier.training.distributed.cluster import Cluster, single_host
from image_classifier.training.features.feature_chunks import Chunk, ChunkFolder
from image_classifier.training.features.feature_rows import FeatureRows
from image_classifier.training.stopping import JobStopped, StopSignal

BATCH = 32
"""Images per batch of a device."""
CHUNK = 1024
"""Images per file of features on disk: about 5 MB."""
STOP_POLL_SECONDS = 5.0
"""Interval at which several hosts exchange whether any of them was asked to stop."""


@dataclass(frozen=True)
class FeatureStore:
    """Pooled features of one split of the data, in the order of its examples."""

    features: NDArray[np.float32]
    """(n, feature count), in memory or in a scratch file."""
    examples: tuple[Example, ...]
    skipped: tuple[Skipped, ...]
    seconds: float


def compute(
    function: Callable[[Pixels], NDArray[np.float32]],
    decoder: Decoder,
    examples: Sequence[Example],
    phase: str,
    stop: StopSignal,
    cluster: Cluster | None = None,
    chunks: ChunkFolder | None = None,
    part: slice | None = None,
) -> FeatureStore:
    """Decode every image and run `function` on batches; only a few decoded images are held at a time.

    Collective: each host computes its part, and all return the same. With `chunks` an interrupted pass resumes.

    Args:
        function: From pixels uint8 (n, h, w, 3) to features float32 (n, feature count), on all devices of
            this host.
        decoder: Decodes images, in threads, while `function` computes.
        examples: All images, the same on every host.
        phase: Name of the images in the log.
        stop: A stop request to this host stops all of them.
        cluster: The hosts that share the work; this host alone when it is None.
        chunks: Where computed features are stored.
        part: The examples that this host has, when not every host has all files; the parts of all hosts cover all
            examples. By default an equal share.

    Raises:
        JobStopped: A host was stopped; with `chunks`, the computed features are stored.
        PlatformError: The features fit neither in memory nor on the disk.
    """
    started = time.monotonic()
    cluster = cluster or single_host()
    part = part or cluster.share(len(examples))
    rows = FeatureRows(len(examples))
    if chunks:
        _restore(rows, chunks, examples, part, phase)
    work = _Work(function, decoder, examples, rows, cluster)
    _run(work, part, phase, stop, chunks)
    rows.exchange(part, cluster)
    readable = tuple(example for index, example in enumerate(examples) if index not in rows.unreadable)
    skipped = tuple(Skipped(examples[index].path, rows.unreadable[index]) for index in sorted(rows.unreadable))
    return FeatureStore(rows.readable(), readable, skipped, time.monotonic() - started)


@dataclass(frozen=True)
class _Work:
    function: Callable[[Pixels], NDArray[np.float32]]
    decoder: Decoder
    examples: Sequence[Example]
    rows: FeatureRows
    cluster: Cluster

    def decoded(self, runs: Sequence[range]) -> Iterator[Pixels | Skipped]:
        return self.decoder.in_order([self.examples[index] for run in runs for index in run])

    def batch(self, indices: range, decoded: Iterator[Pixels | Skipped]) -> None:
        """Compute the next images."""
        readable: list[int] = []
        pixels: list[Pixels] = []
        for index in indices:
            result = next(decoded)
            if isinstance(result, Skipped):
                self.rows.put_unreadable({index: result.reason})
            else:
                readable.append(index)
                pixels.append(result)
        if readable:
            self.rows.put(readable, self.function(np.stack(pixels)))


def _restore(rows: FeatureRows, chunks: ChunkFolder, examples: Sequence[Example], part: slice, phase: str) -> None:
    for chunk in chunks.restore(examples, part):
        if chunk.features.size:
            rows.put(slice(chunk.start, chunk.stop), chunk.features)
        rows.put_unreadable(dict(chunk.unreadable))
    if found := int(rows.known[part].sum()):
        progress.log(f"{phase}: resuming with the features of an earlier run for {found} images")


def _run(work: _Work, part: slice, phase: str, stop: StopSignal, chunks: ChunkFolder | None) -> None:
    """Compute the missing features of a part; a host with fewer batches keeps exchanging stop requests."""
    rows, cluster = work.rows, work.cluster
    runs = list(_unknown(rows.known, part))
    size = BATCH * cluster.local_replicas
    steps = [(run, run[start : start + size]) for run in runs for start in range(0, len(run), size)]
    longest = max(cluster.gather_json(len(steps)))
    steps += [(range(0), range(0))] * (longest - len(steps))
    report = progress.counter(phase, part.stop - part.start)
    done = int(rows.known[part].sum())
    decoded, collective_stop = work.decoded(runs), _CollectiveStop(stop, cluster)
    for run, batch in steps:
        work.batch(batch, decoded)
        done += len(batch)
        stopped = collective_stop.after_batch()
        if chunks and len(batch) and (stopped or batch.stop == run.stop):
            chunks.write(_chunk(rows, range(run.start, batch.stop)), work.examples)
        if stopped:
            kept = "are stored" if chunks else "are lost, since there is no checkpoint folder"
            raise JobStopped(f"{phase}: the features of {done} of {part.stop - part.start} {kept}")
        report(done)


class _CollectiveStop:
    """Stops all hosts after the same batch when one of them was asked to stop."""

    def __init__(self, stop: StopSignal, cluster: Cluster) -> None:
        self._stop, self._cluster = stop, cluster
        self._batches, self._interval = 0, 1
        self._since = time.monotonic()

    def after_batch(self) -> bool:
        """Return whether to stop. Collective: every host must call it equally often."""
        if self._cluster.count == 1:
            return self._stop.is_set()
        self._batches += 1
        if self._batches < self._interval:
            return False
        seconds = (time.monotonic() - self._since) / self._batches
        requests, durations = zip(*self._cluster.gather_json([self._stop.is_set(), seconds]), strict=True)
        # Equal on all hosts: the number of batches that the slowest one computes in the interval.
        self._batches, self._interval = 0, int(STOP_POLL_SECONDS / max(STOP_POLL_SECONDS / 100, *durations))
        self._since = time.monotonic()
        if any(requests):
            self._stop.set_by_another_host()
        return any(requests)


def _chunk(rows: FeatureRows, run: range) -> Chunk:
    reasons = {index: rows.unreadable[index] for index in run if index in rows.unreadable}
    return Chunk(run.start, rows.part(run.start, run.stop), reasons)


def _unknown(known: NDArray[np.bool_], part: slice) -> Iterator[range]:
    """Yield the ranges of images without features, split at every multiple of `CHUNK`."""
    start = part.start
    for index in range(part.start, part.stop):
        if known[index]:
            if start < index:
                yield range(start, index)
            start = index + 1
        elif (index + 1) % CHUNK == 0 or index + 1 == part.stop:
            yield range(start, index + 1)
            start = index + 1
