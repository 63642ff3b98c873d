"""What the list of jobs shows: filtered, and one page of those that are over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from image_classifier.console.queueing.job import Job
from image_classifier.runners.job import State

PER_PAGE = 50
ALL = "all"
FILTERS: Mapping[str, tuple[State, ...]] = {
    ALL: (State.FINISHED, State.STOPPED, State.FAILED, State.LOST),
    "finished": (State.FINISHED,),
    "stopped": (State.STOPPED,),
    "failed": (State.FAILED, State.LOST),
}
"""States by the word in the address."""


@dataclass(frozen=True)
class Listing:
    """The jobs of one page."""

    live: tuple[Job, ...]
    waiting: tuple[Job, ...]
    over: tuple[Job, ...]
    """One page of those that fit the filter, the latest first."""
    counts: Mapping[str, int]
    """How many jobs fit each filter, and the search."""
    state: str
    search: str
    page: int
    pages: int
    total: int
    """All jobs of this console."""


def choose(jobs: Sequence[Job], state: str = ALL, search: str = "", page: int = 1) -> Listing:
    """Return the listing; an unknown filter counts as all, a page beyond the last as the last."""
    state = state if state in FILTERS else ALL
    words = search.lower().split()
    over = [job for job in jobs if job.status.state.is_over and all(word in _text(job) for word in words)]
    fitting = {name: [job for job in over if job.status.state in states] for name, states in FILTERS.items()}
    pages = max(1, -(-len(fitting[state]) // PER_PAGE))
    page = min(max(1, page), pages)
    return Listing(
        live=tuple(job for job in jobs if job.is_live),
        waiting=tuple(job for job in jobs if job.is_waiting),
        over=tuple(fitting[state][(page - 1) * PER_PAGE : page * PER_PAGE]),
        counts={name: len(found) for name, found in fitting.items()},
        state=state,
        search=search.strip(),
        page=page,
        pages=pages,
        total=len(jobs),
    )


def _text(job: Job) -> str:
    """Return what a search looks at."""
    return f"{job.name} {job.experiment.training} {job.experiment.model or ''}".lower()
