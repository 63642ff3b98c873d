"""What a search says: the block of the log, the part of metrics.json and model info, and the rows of search.csv."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from image_classifier.contract.declaration import Value
from image_classifier.contract.value_forms import encode
from image_classifier.training.recipes.trial import DIVERGED, HELD_OUT, PRUNED
from image_classifier.training.recipes.trial_store import Trial

if TYPE_CHECKING:
    from image_classifier.training.recipes.search import SearchResult

_BY_HAND = "recipe=builtin train_only_top_layer=True"


def lines(result: "SearchResult") -> list[str]:
    """Return the log's block: how much was tried, what is best, how to get the same by hand."""
    states = Counter(one.outcome.state for one in result.trials)
    judged = f"{result.folds}-fold cross-validation" if result.folds > 1 else f"a held-out {1 / HELD_OUT:.0%}"
    found = [
        f"Search: {len(result.trials)} trials in {_seconds(result):.1f} s, {states[PRUNED]} of them pruned and "
        f"{states[DIVERGED]} diverged; judged by {result.metric} in {judged} of the training images"
    ]
    if result.stopped:
        found.append(f"Search: stopped early, since {result.stopped}")
    best = result.best
    if best is None:
        return [*found, "Search: no trial reached its last epoch, so the job's own values stay"]
    return [
        *found,
        f"Search: best is trial {best.number} with {_reached(best)}; the job's own values, trial 0, "
        f"{_reached(result.trials[0])}",
        f"Search: the same by hand, beside what was given: {_BY_HAND} {_given(best)}",
    ]


def to_json(result: "SearchResult") -> dict[str, Any]:
    """Return the record of a search for metrics.json and the model info."""
    states = Counter(one.outcome.state for one in result.trials)
    best, own = result.best, result.trials[0].score if result.trials else None
    return {
        "trials": len(result.trials),
        "pruned": states[PRUNED],
        "diverged": states[DIVERGED],
        "stopped": bool(result.stopped),
        "seconds": _seconds(result),
        "metric": result.metric,
        "folds": result.folds,
        "own_score": own.metric if own else None,
        "best_trial": best.number if best else None,
        "best_score": best.score.metric if best and best.score else None,
        "best_values": dict(best.values) if best else {},
    }


def table(result: "SearchResult") -> tuple[list[str], list[list[Value]]]:
    """Return header and rows of search.csv: a row a trial, `yes` in the column `best` of one of them.

    Metric and log loss are those that the trial was judged by, see `Outcome.score`.
    """
    names = list(result.trials[0].values) if result.trials else []
    header = ["trial", "best", "state", *names, result.metric, "log_loss", "epochs_run", "seconds"]
    return header, [_row(one, names, one is result.best) for one in result.trials]


def _row(one: Trial, names: Sequence[str], best: bool) -> list[Value]:
    score = (f"{one.score.metric:.6f}", f"{one.score.log_loss:.6f}") if one.score else ("", "")
    shown = [encode(one.values[name]) for name in names]
    outcome = one.outcome
    return [
        *(one.number, "yes" if best else "", outcome.state, *shown),
        *(*score, len(outcome.scores), f"{outcome.seconds:.3f}"),
    ]


def _seconds(result: "SearchResult") -> float:
    return sum(one.outcome.seconds for one in result.trials)


def _reached(one: Trial) -> str:
    epochs = len(one.outcome.scores)
    if one.score is None or one.outcome.state == DIVERGED:
        return f"diverged in epoch {epochs + 1}"
    return f"{one.score.metric:.4f} after {epochs} epochs"


def _given(one: Trial) -> str:
    return " ".join(f"{name}={encode(value)}" for name, value in one.values.items())
