"""Whether and how long stage 1 tunes the network: the rule of eligibility, and a plan from measured durations.

Durations are measured once and the plan is stored with the job's checkpoints, so that a resumed job follows the same
plan. Its numbers come from coarse ladders, so that noise in the durations mostly gives the same plan, and where the
budget suffices for the longest plan that the data justify, durations decide nothing.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from image_classifier.contract import plan_rules
from image_classifier.contract.hyperparameters import Hyperparameters
from image_classifier.contract.plan_rules import CPU_TUNING_SECONDS, GPU_TUNING_SECONDS, TUNED_CLASS_IMAGES
from image_classifier.training.recipes.settings import WHOLE, Mode, TuningSettings
from image_classifier.training.stopping import StopSignal

ACCURATE = 0.99
"""Cross-validation accuracy from which stage 0 leaves too little to win."""
MIN_EPOCHS = 2
CPU_SECONDS, GPU_SECONDS = CPU_TUNING_SECONDS, GPU_TUNING_SECONDS
"""Default budgets on CPUs alone and with a GPU."""
RACE_SHARE = 1 / 3
"""Share of the budget that measuring and the race may take together."""
EPOCHS = (20, 12, 8, 6, 4, 3, 2)
"""Ladder of epochs; the longest is AutoGluon MultiModal's default of max_epochs."""
MEASURING_SHARE = 1 / 10
"""Share of the budget after which no second mode of a part is measured, so that it does not race either."""
RUNTIME_SHARE = 4 / 5
"""Share of what max_runtime leaves that is planned: the rest is for what follows the SavedModel - the OpenVINO IR, the
verification, the report - and for steps that take longer than measured."""
_SIZES = ((9, 64), (9, 32), (6, 32), (6, 16), (4, 32), (4, 16), (3, 32), (3, 16), (2, 16))
"""Ladder of races, best first: number of settings, and steps of each in the first rung.

Never fewer than 16 steps: on 500 images of Fashion-MNIST every setting was worse after 8 than the head that it started
from, and the best after 32 was fifth after 8."""
_PASSES = 3
"""Validation passes of the interpolation."""


@dataclass(frozen=True)
class Allowance:
    """The time that stage 1 may take."""

    seconds: float
    source: str
    """Where it comes from, for the log."""


@dataclass(frozen=True)
class Rung:
    """One round of the race."""

    settings: int
    """Number of settings that are left."""
    steps: int
    """Training steps of each."""


@dataclass(frozen=True)
class Durations:
    """Measured durations."""

    steps: Mapping[Mode, float]
    """Seconds of a training step by mode."""
    row: float
    """Seconds of a prediction per row, in float32."""
    spent: float
    """Seconds that measuring took."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of the work."""

    steps_per_epoch: int
    step_rows: int
    """Of all hosts together."""
    validation_rows: int
    judging_rows: int
    scored_later: int = 0
    """Images of the test channel, where the time for them is part of the budget."""


@dataclass(frozen=True)
class Plan:
    """What stage 1 does."""

    settings: tuple[TuningSettings, ...]
    """Entrants of the race; without a race, what is tuned."""
    rungs: tuple[Rung, ...]
    """Empty: no race."""
    epochs: tuple[int, ...]
    """Epochs of the tuning with each of the settings, when it is the only one."""
    shared_epochs: tuple[int, ...]
    """The same, when two are tuned one after the other; empty: only the winner of the race is tuned."""
    seconds: float
    """Estimated duration of the race and the longest tuning, or the two longest."""
    sentence: str
    """For the log, without a full stop."""

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Plan":
        """Return the plan that `dataclasses.asdict` turned into JSON-able values."""
        settings = [TuningSettings(Mode(**one["mode"]), one["learning_rate"]) for one in state["settings"]]
        rungs = [Rung(**one) for one in state["rungs"]]
        epochs, shared = tuple(state["epochs"]), tuple(state["shared_epochs"])
        return cls(tuple(settings), tuple(rungs), epochs, shared, state["seconds"], state["sentence"])


def allowance(values: Hyperparameters, stop: StopSignal, has_gpu: bool) -> Allowance:
    """Return the time that is left for stage 1.

    With max_runtime `RUNTIME_SHARE` of what remains of it, less the reserve for the export; else a default.
    """
    if values.max_runtime:
        source = f"{RUNTIME_SHARE:.0%} of what max_runtime={values.max_runtime} leaves"
        return Allowance(RUNTIME_SHARE * max(stop.training_seconds(), 0.0), source)
    seconds, kind = (GPU_SECONDS, "with a GPU") if has_gpu else (CPU_SECONDS, "on CPUs")
    return Allowance(seconds, f"the default {kind}")


def reason_against(tunable: bool, counts: Mapping[str, int], accuracy: float) -> str | None:
    """Return why the network is not tuned, whatever the budget; None if it may be.

    `counts` are the training images by class, `accuracy` is that of stage 0 in cross-validation.
    """
    if not tunable:
        return "the backbone's format does not allow it"
    if plan_rules.smallest_class(counts.values()) < TUNED_CLASS_IMAGES:
        rare, every = sum(one for one in counts.values() if one < TUNED_CLASS_IMAGES), sum(counts.values())
        return (
            f"{rare:,} of {every:,} training images, more than one in {plan_rules.RARE_PART}, are of classes with "
            f"fewer than {TUNED_CLASS_IMAGES}"
        )
    if accuracy >= ACCURATE:
        return f"the head's accuracy in cross-validation is {accuracy:.4f}, at least {ACCURATE}"
    return None


def worth_measuring(mode: Mode, durations: Durations, seconds: float) -> bool:
    """Return whether a further mode is measured, by what measuring the others took of a budget of `seconds`.

    The first of each part of the network is, and of the whole: which of them suffices depends on the images.
    """
    return mode.part not in {one.part for one in durations.steps} or durations.spent <= MEASURING_SHARE * seconds


def least_seconds(mode: Mode, durations: Durations, sizes: Sizes) -> float:
    """Return what the shortest tuning of a mode takes at least, before its own steps are measured.

    A training step takes no less than the prediction of its rows, and one of the whole network no less than one of a
    part. In mixed precision the former need not hold: then `durations.row` has to be 0.
    """
    parts = [seconds for measured, seconds in durations.steps.items() if mode.part == WHOLE != measured.part]
    step = max(durations.row * sizes.step_rows, *parts, 0.0)
    return _tuning_seconds(MIN_EPOCHS, mode, replace(durations, steps={mode: step}), sizes)


def too_long(needed: str, left: float, seconds: float) -> str:
    """Return why the network is not tuned with a budget of `seconds`, of which `left` are left, without a full stop."""
    return f"{MIN_EPOCHS} epochs would take {needed}, and {max(left, 0):.0f} s of {seconds:.0f} s are left"


def plan(candidates: Sequence[TuningSettings], durations: Durations, sizes: Sizes, seconds: float) -> Plan | str:
    """Return the plan for a budget of `seconds`; or why fewer than two epochs of any mode fit, without a full stop.

    A part of the network and the whole of it are both tuned wherever they fit, without a race if need be: a race that
    is shorter than a tuning prefers the part, see `_shared_epochs`.
    """
    if not candidates:
        return "no part of the network can be tuned"
    left = seconds - durations.spent
    fitting = [one for one in candidates if _tuning_seconds(MIN_EPOCHS, one.mode, durations, sizes) <= left]
    if not fitting:
        quickest = min(_tuning_seconds(MIN_EPOCHS, one.mode, durations, sizes) for one in candidates)
        return too_long(f"{quickest:.0f} s by measured steps", left, seconds)
    dearest = max(_tuning_seconds(MIN_EPOCHS, one.mode, durations, sizes) for one in fitting)
    for_race = min(seconds * RACE_SHARE - durations.spent, left - dearest)
    longest = sizes.steps_per_epoch * _epochs(fitting[0].mode, durations, sizes, left)
    races: list[tuple[tuple[Rung, ...], Sequence[TuningSettings], float]] = []
    for rungs, racing in _races(fitting, longest):
        cost = _race_seconds(rungs, racing, durations, sizes)
        if cost <= for_race:
            if _is_decisive(rungs, racing, sizes) or _shared_epochs(rungs, racing, durations, sizes, left - cost):
                return _plan(rungs, racing, durations, sizes, seconds, left - cost, cost)
            races.append((rungs, racing, cost))
    wholes = [one for one in fitting if one.mode.part == WHOLE]
    for pair in ([one, *wholes[:1]] for one in fitting if one.mode.part != WHOLE):
        if _shared_epochs((), pair, durations, sizes, left):
            return _plan((), pair, durations, sizes, seconds, left, 0.0)
    rungs, racing, cost = races[0] if races else ((), fitting[:1], 0.0)
    return _plan(rungs, racing, durations, sizes, seconds, left - cost, cost)


def _is_decisive(rungs: Sequence[Rung], settings: Sequence[TuningSettings], sizes: Sizes) -> bool:
    """Return whether the winner of a race is tuned alone: after a long one, and where all tune a part, or all do not.

    Where the last rung is shorter than the shortest tuning, a race says little about the whole network, which at first
    gets worse: on digits of 8 x 8 pixels it was third after 16 steps and first after 37. So it is tuned too.
    """
    lasted = bool(rungs) and rungs[-1].steps >= MIN_EPOCHS * sizes.steps_per_epoch
    return lasted or len({one.mode.part == WHOLE for one in settings}) == 1


def _shared_epochs(
    rungs: Sequence[Rung], settings: Sequence[TuningSettings], durations: Durations, sizes: Sizes, seconds: float
) -> tuple[int, ...]:
    """Return the epochs with each of the settings when two are tuned in turn; empty where one is tuned alone.

    Each has half of the time, or what its shortest tuning takes where that is more.
    """
    if _is_decisive(rungs, settings, sizes):
        return ()
    least = [(one.mode.part == WHOLE, _tuning_seconds(MIN_EPOCHS, one.mode, durations, sizes)) for one in settings]
    least_of_whole, least_of_part = (max(needed for whole, needed in least if whole is kind) for kind in (True, False))
    if least_of_whole + least_of_part > seconds:
        return ()
    of_whole = min(max(seconds / 2, least_of_whole), seconds - least_of_part)
    shares = [of_whole if whole else seconds - of_whole for whole, _ in least]
    return tuple(_epochs(one.mode, durations, sizes, share) for one, share in zip(settings, shares, strict=True))


def _plan(
    rungs: tuple[Rung, ...],
    racing: Sequence[TuningSettings],
    durations: Durations,
    sizes: Sizes,
    seconds: float,
    left: float,
    cost: float,
) -> Plan:
    epochs = tuple(_epochs(one.mode, durations, sizes, left) for one in racing)
    shared = _shared_epochs(rungs, racing, durations, sizes, left)
    counts = shared or epochs
    each = [_tuning_seconds(count, one.mode, durations, sizes) for count, one in zip(counts, racing, strict=True)]
    longest = max(each)
    if shared:
        longest = sum(
            max(taken for taken, one in zip(each, racing, strict=True) if (one.mode.part == WHOLE) is kind)
            for kind in (True, False)
        )
    rounds = ", then ".join(f"{rung.settings} settings for {rung.steps} steps each" for rung in rungs)
    tuned = " and ".join(map(str, racing))
    race = f"a race of {rounds} (at most {cost:.0f} s)" if rungs else f"no race: {tuned}"
    several = f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else f"{counts[0]}"
    what = f"{several} epochs"
    if shared:
        what += " each with two settings" if not rungs else " with the winner, and with the best for the whole network"
    sentence = (
        f"{race}; then {what} (at most {longest:.0f} s); the budget is {seconds:.0f} s, of which measuring took "
        f"{durations.spent:.0f} s"
    )
    return Plan(tuple(racing), rungs, epochs, shared, cost + longest, sentence)


def _races(
    fitting: Sequence[TuningSettings], longest: int
) -> Iterator[tuple[tuple[Rung, ...], Sequence[TuningSettings]]]:
    """Yield races, best first; the last rung takes no more than half the steps of the `longest` tuning."""
    for entrants, steps in _SIZES:
        racing = fitting[:entrants]
        rungs = _rungs(len(racing), steps)
        if len(racing) > 1 and 2 * rungs[-1].steps <= max(longest, 2):
            yield rungs, racing


def _rungs(entrants: int, steps: int) -> tuple[Rung, ...]:
    """Return the rungs of successive halving (Jamieson, Talwalkar, arXiv 1502.07943): half as many, twice as long."""
    rungs = [Rung(entrants, steps)]
    while rungs[-1].settings > 3:
        rungs.append(Rung(math.ceil(rungs[-1].settings / 2), 2 * rungs[-1].steps))
    return tuple(rungs)


def _race_seconds(rungs: Sequence[Rung], racing: Sequence[TuningSettings], durations: Durations, sizes: Sizes) -> float:
    """Return an upper bound: in each rung the settings whose steps take longest are left."""
    judging = durations.row * sizes.judging_rows
    dearest = sorted((durations.steps[one.mode] for one in racing), reverse=True)
    return judging + sum(sum(rung.steps * step + judging for step in dearest[: rung.settings]) for rung in rungs)


def _tuning_seconds(epochs: int, mode: Mode, durations: Durations, sizes: Sizes) -> float:
    validation = durations.row * sizes.validation_rows
    passes = _PASSES * validation + durations.row * sizes.scored_later
    return epochs * (sizes.steps_per_epoch * durations.steps[mode] + validation) + passes


def _epochs(mode: Mode, durations: Durations, sizes: Sizes, seconds: float) -> int:
    fitting = (epochs for epochs in EPOCHS if _tuning_seconds(epochs, mode, durations, sizes) <= seconds)
    return next(fitting, MIN_EPOCHS)
