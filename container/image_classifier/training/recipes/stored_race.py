"""The race of a job: its steps are measured and its plan made once, and both are stored with every finished run."""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from image_classifier.training.checkpoints.store import Checkpoints
from image_classifier.training.data import batches
from image_classifier.training.loop import snapshots
from image_classifier.training.loop.steps import NotDeterministic
from image_classifier.training.progress import log
from image_classifier.training.recipes import budget, race
from image_classifier.training.recipes import settings as tuning_settings
from image_classifier.training.recipes.budget import Durations, Plan, Sizes
from image_classifier.training.recipes.race import Run
from image_classifier.training.recipes.settings import Mode, TuningSettings
from image_classifier.training.recipes.short_runs import ShortRuns
from image_classifier.training.recipes.tuning_inputs import TuningInputs


class StoredRace:
    """Plans and races with `checkpoints`: None on all hosts but the chief, and without a checkpoint folder."""

    def __init__(self, inputs: TuningInputs, checkpoints: Checkpoints | None) -> None:
        self._inputs, self._checkpoints = inputs, checkpoints
        self._has_checkpoints = inputs.session.cluster.any_host(checkpoints is not None)
        copied = inputs.images.copied
        first = copied.first if copied else None
        self._parts = race.split(inputs.images.training.labels, inputs.values.random_seed, first)
        self._backbone = [variable.numpy() for variable in inputs.network.trained_variables][inputs.head_arrays :]
        self._short_runs: ShortRuns | None = None
        self._finished: Sequence[Run] = ()
        self.momenta: Sequence[float] = ()
        """Of the moving statistics, see `moving_statistics.measure_momenta`; known after `plan`."""

    def plan(self, seconds: float) -> Plan | str:
        """Return the plan of an earlier run of this job, else a new one; or why the network is not tuned. Collective.

        Raises:
            JobStopped: A stop was requested.
            UserError: The checkpoints belong to another job.
        """
        found = snapshots.newest(self._checkpoints, self._inputs.session.cluster) if self._has_checkpoints else None
        if found:
            self.momenta = found.state["momenta"]
            self._finished = [Run(**one) for one in found.state["runs"]]
            return Plan.from_state(found.state["plan"])
        log(f"Tuning: measuring steps; the budget is {seconds:.0f} s.")
        started = time.monotonic()
        entrants = tuning_settings.candidates(self._inputs.network)
        durations = self._measure(entrants, started, seconds)
        if isinstance(durations, str):
            return durations
        entrants = tuple(one for one in entrants if one.mode in durations.steps)
        plan = budget.plan(entrants, durations, self._sizes(), seconds)
        if isinstance(plan, Plan):
            self._save(plan, ())
        return plan

    def run(self, plan: Plan) -> tuple[Run, ...]:
        """Race to the end, and return all runs. Collective.

        Raises:
            JobStopped: A stop was requested.
        """

        def score(settings: TuningSettings | None, steps: int) -> float:
            return self._runs().score(settings, steps, self.momenta)

        if plan.rungs and not self._finished:
            images, brier = len(self._parts.judging), score(None, 0)
            log(f"Race: judged by {images:,} training images that it does not train on; Brier score before {brier:.4f}")
        runs = race.run(plan, score, self._finished, partial(self._save, plan))
        self._short_runs = None
        return runs

    def _measure(self, entrants: Sequence[TuningSettings], started: float, seconds: float) -> Durations | str:
        """Return the durations, without those of modes that cannot fit; or why none can, without a full stop."""
        runs, sizes = self._runs(), self._sizes()
        row = runs.row_seconds()
        spent = self._of_chief(time.monotonic() - started)
        known = Durations({}, row if self._inputs.session.precision == "off" else 0.0, spent)
        unmeasured: list[float] = []
        for mode in dict.fromkeys(one.mode for one in entrants):
            least, left = budget.least_seconds(mode, known, sizes), seconds - known.spent
            if least > left:
                unmeasured.append(least)
                continue
            if not budget.worth_measuring(mode, known, seconds):
                log(
                    f"Tuning: {mode} is left out of the race, since measuring the others already took "
                    f"{known.spent:.0f} s."
                )
                continue
            measured = self._measured(mode, runs)
            known = replace(known, steps={**known.steps, **measured}, spent=self._of_chief(time.monotonic() - started))
        if unmeasured and not known.steps:
            needed = f"at least {min(unmeasured):.0f} s, by measured predictions"
            return budget.too_long(needed, seconds - known.spent, seconds)
        return replace(known, row=row)

    def _measured(self, mode: Mode, runs: ShortRuns) -> dict[Mode, float]:
        try:
            seconds = runs.step_seconds(mode)
            if mode.batch_statistics and not self.momenta:
                self.momenta = runs.momenta(mode)
        except NotDeterministic:
            log(
                f"Tuning: {mode} is left out of the race, since deterministic=True and the backbone draws random "
                "numbers in training."
            )
            return {}
        return {mode: seconds}

    def _of_chief(self, seconds: float) -> float:
        return float(self._inputs.session.cluster.gather_json(seconds)[0])

    def _array_of_chief(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        # Hosts with other processors may round another way.
        cluster = self._inputs.session.cluster
        return cluster.gather(array if cluster.is_chief else array[:0])

    def _sizes(self) -> Sizes:
        images, values, cluster = self._inputs.images, self._inputs.values, self._inputs.session.cluster
        steps = batches.steps_per_epoch(images.training, values, cluster)
        judging, later = len(self._parts.judging), self._inputs.scored_later
        return Sizes(steps, values.batch_size, len(images.validation), judging, later)

    def _runs(self) -> ShortRuns:
        if self._short_runs is None:
            head = self._inputs.stage0.refit(self._parts.training)
            start = [*map(self._array_of_chief, (head.kernel, head.bias)), *self._backbone]
            self._short_runs = ShortRuns(self._inputs, start, self._parts)
        return self._short_runs

    def _save(self, plan: Plan, runs: Sequence[Run]) -> None:
        if self._checkpoints:
            state = {"plan": asdict(plan), "runs": race.to_state(runs), "momenta": list(self.momenta)}
            self._checkpoints.save(len(runs), state, {})
