"""`recipe=search`: trials of the head's hyperparameters on computed features, by Optuna's TPE and median pruning.

Akiba et al., Optuna (2019); Bergstra et al., Algorithms for hyper-parameter optimization (2011). The draw of a trial is
a function of the seed, its number and the trials before it, so that a search that was killed resumes with equal
results. Why in NumPy, and judged by which rows: docs/decisions/0031-search.md.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import threadpoolctl

from image_classifier.contract.declaration import Declaration, Value
from image_classifier.contract.hyperparameters import DECLARATIONS, Hyperparameters
from image_classifier.training.progress import log
from image_classifier.training.recipes import search_space, trial
from image_classifier.training.recipes.trial import Score, Task
from image_classifier.training.recipes.trial_store import Trial, TrialStore

if TYPE_CHECKING:
    import optuna

RANDOM_TRIALS = 10
"""Trials that are drawn at random before TPE has something to go by, and that finish before any other is pruned."""
WARM_UP_EPOCHS = 5
"""Epochs of a trial before it may be pruned, since slow starts can end well."""
_FORMAT = 2
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class SearchResult:
    """All trials, and the best of them."""

    trials: tuple[Trial, ...]
    metric: str
    """`eval_metric`, by which the trials were judged."""
    folds: int
    stopped: str = ""
    """Why the search ended before its last trial, without a full stop; empty if it did not."""

    @property
    def best(self) -> Trial | None:
        """The trial with the best score of those that reached their last epoch, the first of equals."""
        return _best(self.trials)


class _Stopped(Exception):  # noqa: N818 - not an error
    pass


def search(
    task: Task,
    values: Hyperparameters,
    names: Sequence[str],
    trials: int,
    folder: Path | None,
    stopped: Callable[[], str] = lambda: "",
) -> SearchResult:
    """Run `trials` trials over the hyperparameters `names`, the first of them with the job's own `values`.

    Trials are stored in `folder`, the job's checkpoint folder, and reused from there; None: neither. `stopped` is
    called after every epoch; once it returns a reason the search ends, and the trial that is running does not count.

    Raises:
        OSError: `folder` is full or not writable.
    """
    space = search_space.declared(names)
    store = TrialStore(folder, _identity(task, values, space)) if folder else None
    done = store.read()[:trials] if store else []
    if done:
        log(f"Search: {len(done)} of {trials} trials were finished before.")
    runner = _Runner(task, values, space, stopped)
    try:
        # Products of matrices this small are slower on several threads, far slower beside other work.
        with threadpoolctl.threadpool_limits(1, "blas"):
            while len(done) < trials:
                done.append(runner.run(done))
                if store:
                    store.write(done)
                _log_progress(done, trials)
    except _Stopped as reason:
        return SearchResult(tuple(done), values.eval_metric, len(task.folds), str(reason))
    return SearchResult(tuple(done), values.eval_metric, len(task.folds))


class _Runner:
    """Runs the next trial after those that are done."""

    def __init__(
        self, task: Task, values: Hyperparameters, space: Sequence[Declaration], stopped: Callable[[], str]
    ) -> None:
        self._task, self._values, self._space, self._stopped = task, values, space, stopped
        self._known: list[optuna.trial.FrozenTrial] = []
        self._read = 0

    def run(self, done: Sequence[Trial]) -> Trial:
        """Return the trial that follows `done`, which grows by one from call to call.

        Raises:
            _Stopped: `stopped` returned a reason.
        """
        drawn: dict[str, Any] = {item.name: getattr(self._values, item.name) for item in self._space}
        asked = self._ask(done) if done else None
        if asked:
            drawn = {item.name: search_space.rounded(item, asked.params[item.name]) for item in self._space}

        def prune(epoch: int, score: Score) -> bool:
            if reason := self._stopped():
                raise _Stopped(reason)
            if asked is None:
                return False
            asked.report(score.objective, epoch)
            return asked.should_prune()

        outcome = trial.run(self._task, dataclasses.replace(self._values, **drawn), prune)
        return Trial(len(done), drawn, outcome)

    def _ask(self, done: Sequence[Trial]) -> "optuna.Trial":
        """Draw from a study that holds the trials before and nothing else."""
        # Imported here: it takes seconds, and only this recipe needs it.
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        distributions = search_space.distributions(self._space)
        # The job's own values may lie outside of the recommended ranges, where Optuna takes no trial.
        new = [one for one in done[self._read :] if search_space.contains(self._space, one.values)]
        self._known += [_frozen(one, distributions) for one in new]
        self._read = len(done)
        # One number: TPE takes no sequence.
        seed = int(np.random.SeedSequence((self._values.random_seed, len(done))).generate_state(1)[0])
        study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(n_startup_trials=RANDOM_TRIALS, seed=seed),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=RANDOM_TRIALS, n_warmup_steps=WARM_UP_EPOCHS - 1),
        )
        study.add_trials(self._known)
        return study.ask(distributions)


def _frozen(one: Trial, distributions: "Mapping[str, optuna.distributions.BaseDistribution]") -> Any:
    import optuna

    return optuna.trial.create_trial(
        state=optuna.trial.TrialState.COMPLETE if one.finished else optuna.trial.TrialState.PRUNED,
        value=one.objective if one.score else None,
        params=dict(one.values),
        distributions=dict(distributions),
        intermediate_values={epoch: score.objective for epoch, score in enumerate(one.outcome.scores)},
    )


def _best(trials: Sequence[Trial]) -> Trial | None:
    return max((one for one in trials if one.finished), key=lambda one: one.objective, default=None)


def _log_progress(done: Sequence[Trial], trials: int) -> None:
    if 10 * len(done) // trials > 10 * (len(done) - 1) // trials:
        best = _best(done)
        reached = f", best so far {best.score.metric:.4f} (trial {best.number})" if best and best.score else ""
        log(f"Search: {len(done)}/{trials} trials{reached}")


def _identity(task: Task, values: Hyperparameters, space: Sequence[Declaration]) -> str:
    """Return a hash of everything that determines the trials."""
    # `epochs` may change when the ordinary loop resumes, but a trial depends on it.
    kept = {item.name for item in DECLARATIONS if not item.may_change_on_resume} | {"epochs"}
    given: Mapping[str, Value] = {name: value for name, value in asdict(values).items() if name in kept}
    digest = hashlib.sha256(json.dumps([_FORMAT, given, [repr(item) for item in space]]).encode())
    features = task.data.features
    for array in (task.data.labels, task.class_weights, task.start):
        digest.update(np.ascontiguousarray(array).data)
    for first in range(0, len(features), _ROWS_AT_ONCE):
        digest.update(np.ascontiguousarray(features[first : first + _ROWS_AT_ONCE]).data)
    return digest.hexdigest()
