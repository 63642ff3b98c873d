"""Results of a recipe's finished stages: stored in the job's checkpoint folder, equal on all hosts.

A checkpoint holds all stages that are finished, one group of arrays each, so that a corrupt one costs one stage. The
folder, its format and the check for another job's files are those of every checkpoint.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier.training.checkpoints import array_archive
from image_classifier.training.checkpoints.array_archive import Arrays
from image_classifier.training.distributed.cluster import Cluster
from image_classifier.training.loop import snapshots
from image_classifier.training.loop.fitting import Session
from image_classifier.training.progress import log
from image_classifier.training.stopping import JobStopped

LONGEST_SECONDS = 3600.0
"""Longest computation of the chief that the other hosts wait for: many times that of 50,000 images."""


@dataclass(frozen=True)
class Stage:
    """The result of a stage."""

    state: Mapping[str, Any]
    """JSON-able."""
    arrays: Arrays


class StageStore:
    """The finished stages of a job, from its newest checkpoint and from this run."""

    def __init__(self, session: Session) -> None:
        """Read the newest checkpoint. Collective: every host must call it.

        Raises:
            UserError: It belongs to another job.
        """
        self._session = session
        has_checkpoints = session.cluster.any_host(session.checkpoints is not None)
        found = snapshots.newest(session.checkpoints, session.cluster) if has_checkpoints else None
        names = found.state["stages"] if found else {}
        self._stages = (
            {name: Stage(state, found.groups.get(name, {})) for name, state in names.items()} if found else {}
        )
        if self._stages:
            log(f"Resuming from a checkpoint: finished before: {', '.join(self._stages)}.")

    def get(self, name: str) -> Stage | None:
        """Return the result of a stage that has finished; None if it has not."""
        return self._stages.get(name)

    def put(self, name: str, stage: Stage) -> Stage:
        """Store the result of a stage, the same on every host, and return it.

        Raises:
            OSError: The disk is full or not writable.
        """
        self._stages[name] = stage
        if self._session.checkpoints:
            states = {name: stage.state for name, stage in self._stages.items()}
            arrays = {name: stage.arrays for name, stage in self._stages.items()}
            self._session.checkpoints.save(len(self._stages), {"stages": states}, arrays)
        return stage

    def on_chief(self, name: str, compute: Callable[[], Stage]) -> Stage:
        """Return the result of a stage; the chief computes it unless it is stored. Collective.

        Raises:
            JobStopped: The chief was stopped meanwhile.
        """
        found = self.get(name)
        return found or self.put(name, from_chief(self._session, compute))


def from_chief(session: Session, compute: Callable[[], Stage]) -> Stage:
    """Return what the chief computes, on every host. Collective.

    Raises:
        JobStopped: The chief was stopped meanwhile.
    """
    cluster = session.cluster
    if cluster.count == 1:
        return compute()
    stage: Stage | None = None
    stopped = False
    if cluster.is_chief:
        try:
            stage = compute()
        except JobStopped:
            stopped = True
    cluster.barrier(LONGEST_SECONDS)
    if cluster.any_host(stopped):
        session.stop.set_by_another_host()
        raise JobStopped
    return _shared(cluster, stage)


def _shared(cluster: Cluster, stage: Stage | None) -> Stage:
    packed: NDArray[np.uint8] = np.empty(0, np.uint8)
    if stage:
        packed = np.frombuffer(array_archive.to_bytes(stage.arrays, dict(stage.state)), np.uint8)
    arrays, state = array_archive.from_bytes(cluster.gather(packed).tobytes())
    return Stage(state, arrays)
