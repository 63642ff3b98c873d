"""The race: successive halving of the settings of stage 1, on a part of the training images and judged by another.

Every run starts from a head that was fitted without the judging rows, and has a whole schedule of its own: warm-up,
then a cosine to 0 at its last step, as the tuning will have. So a run is a small copy of the tuning, and a race that
was killed repeats no more than one run.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation import stratified
from image_classifier.training.progress import log
from image_classifier.training.recipes.budget import Plan, Rung
from image_classifier.training.recipes.settings import WHOLE, TuningSettings

JUDGING_SHARE = 4
"""One of so many training images judges."""
MOST_JUDGING = 256
"""The standard error of an accuracy of 0.9 is then 2 points; that of a difference on the same images is less."""
MOST_TRAINING = 10_000


@dataclass(frozen=True)
class Run:
    """The result of one setting in one rung."""

    rung: int
    """From 0."""
    entrant: int
    """Index of its settings in the plan."""
    score: float
    """Brier score of the judging rows, less is better; infinite when the loss was."""


@dataclass(frozen=True)
class Parts:
    """Indices of the training rows that the race trains on, and of those that judge; int64."""

    training: NDArray[np.int64]
    judging: NDArray[np.int64]


def split(labels: NDArray[np.int64], seed: int, first: NDArray[np.int64] | None = None) -> Parts:
    """Split training rows by their labels int64 (n,): stratified, a function of the seed.

    `first` is the first copy of each row, int64 (n,), itself by default. No copy of a judging row trains or judges.
    """
    first = np.arange(len(labels)) if first is None else first
    different = np.unique(first)
    by_class = different[stratified.by_class(labels[different], (seed, len(different)))]
    judges = by_class[stratified.evenly_spaced(len(different), min(len(different) // JUDGING_SHARE, MOST_JUDGING))]
    place = np.empty(len(labels), np.int64)
    place[by_class] = np.arange(len(by_class))
    everything = np.argsort(place[first], kind="stable")
    rest = everything[~np.isin(first[everything], judges)]
    return Parts(np.sort(rest[stratified.evenly_spaced(len(rest), min(len(rest), MOST_TRAINING))]), np.sort(judges))


def run(
    plan: Plan,
    score: Callable[[TuningSettings, int], float],
    finished: Sequence[Run],
    save: Callable[[Sequence[Run]], None],
) -> tuple[Run, ...]:
    """Race the settings of a plan, and return all runs in order; those that finished before are not repeated.

    `score` trains with some settings for some steps and returns their score; `save` stores the runs so far, after each.
    Deterministic if `score` is; of equals the setting that the plan has first stays.
    """
    runs = list(finished)
    for number, rung in enumerate(plan.rungs):
        for entrant in _entrants(runs, number, rung):
            if not any((one.rung, one.entrant) == (number, entrant) for one in runs):
                runs.append(Run(number, entrant, score(plan.settings[entrant], rung.steps)))
                save(runs)
        ranked = _ranked(runs, number)
        log(
            f"Race: {rung.steps} steps each: "
            + "; ".join(f"{plan.settings[one.entrant]}: Brier score {one.score:.4f}" for one in ranked)
        )
    return tuple(runs)


def winner(plan: Plan, runs: Sequence[Run]) -> int | None:
    """Return the index of the best settings of the last rung; None when every run of it diverged."""
    if not plan.rungs:
        return 0
    best = _ranked(runs, len(plan.rungs) - 1)[0]
    return best.entrant if math.isfinite(best.score) else None


def finalists(plan: Plan, runs: Sequence[Run]) -> list[int]:
    """Return the indices of the settings that are tuned, the winner first; none when every run diverged.

    Where the plan has time for two, and the winner leaves a part of the network as it is, the second is the best that
    tunes the whole network: of those that got farthest, the first.
    """
    best = winner(plan, runs)
    if best is None:
        return []
    whole = [index for index, one in enumerate(plan.settings) if one.mode.part == WHOLE]
    if not plan.shared_epochs or best in whole:
        return [best]
    ranked = [one.entrant for number in reversed(range(len(plan.rungs))) for one in _ranked(runs, number)]
    return [best, next((index for index in ranked if index in whole), whole[0])]


def to_state(runs: Sequence[Run]) -> list[dict[str, object]]:
    """Return runs as JSON-able values."""
    return [asdict(one) for one in runs]


def _entrants(runs: Sequence[Run], number: int, rung: Rung) -> list[int]:
    if not number:
        return list(range(rung.settings))
    return sorted(one.entrant for one in _ranked(runs, number - 1)[: rung.settings])


def _ranked(runs: Sequence[Run], number: int) -> list[Run]:
    return sorted((one for one in runs if one.rung == number), key=lambda one: (one.score, one.entrant))
