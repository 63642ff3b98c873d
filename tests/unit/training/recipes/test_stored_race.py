"""Which settings are measured for the race, with durations that are given."""

from pathlib import Path
from typing import Any

import pytest

from image_classifier.training.recipes.settings import LAST_THIRD, SCALES, WHOLE, Mode
from tests.unit.training.recipes import tuning_small


class QuickRuns:
    """Short runs that take no time and give the same durations."""

    random: frozenset[Mode] = frozenset()
    """Modes that draw random numbers."""

    def __init__(self, *_: object) -> None:
        self.measured: list[Mode] = []

    def row_seconds(self) -> float:
        """Return the duration of a prediction."""
        return 1e-4

    def step_seconds(self, mode: Mode) -> float:
        """Return the duration of a step."""
        from image_classifier.training.loop.steps import NotDeterministic

        if mode in self.random:
            raise NotDeterministic("It draws random numbers.")
        self.measured.append(mode)
        return 1e-3

    def momenta(self, mode: Mode) -> list[float]:
        """Return the momenta of two moving statistics."""
        return [0.9, 0.9]


@pytest.fixture
def planned(backbone_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the plan of a race with these short runs."""
    from image_classifier.training.recipes import stored_race

    monkeypatch.setattr(stored_race, "ShortRuns", QuickRuns)
    return lambda: stored_race.StoredRace(tuning_small.inputs(backbone_folder), None).plan(600.0)


def test_each_part_races_where_measuring_the_first_took_long(
    planned: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a first mode whose measuring used up its share -> one of each other part races too, a second does not."""
    from image_classifier.training.recipes import budget

    monkeypatch.setattr(budget, "MEASURING_SHARE", 0.0)
    found = planned()
    modes = [Mode(part, False) for part in (SCALES, WHOLE, LAST_THIRD)]
    assert list(dict.fromkeys(one.mode for one in found.settings)) == modes
    lines = [line for line in capsys.readouterr().out.splitlines() if " is left out of the race, " in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"Tuning: {Mode(WHOLE, True)} is left out of the race, since measuring the others ")


def test_modes_that_draw_random_numbers_do_not_race_in_a_deterministic_job(
    planned: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a mode that deterministic=True does not allow -> the others race, and the log says why."""
    monkeypatch.setattr(QuickRuns, "random", frozenset({Mode(WHOLE, True)}))
    assert Mode(WHOLE, True) not in {one.mode for one in planned().settings}
    assert "since deterministic=True and the backbone draws random numbers in training" in capsys.readouterr().out
