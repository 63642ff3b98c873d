import os
import sys

import pytest

from tests.benchmarks.job_cost import Job
from tests.benchmarks.training import revisions, runs, table, watched
from tests.benchmarks.training.runs import Case, Figures
from tests.benchmarks.training.table import Pair
from tests.benchmarks.training.watched import MEGABYTE, Line, Watched

HEAD, WHOLE = Case("head", False, 2, 1e-3), Case("whole", True, 2, 1e-4)
JOB = (
    (1.0, "Hyperparameters:"),
    (4.0, "Backbone: lite0, 224x224 pixels, 1280 features, loaded in 1.5 s"),
    (8.0, "Training images: 8/10 images, 4 s"),
    (9.0, "Training images: 10/10 images, 5 s"),
    (10.0, "Validation images: 4/4 images, 1 s"),
    (12.0, "2/2 - 2s - loss: 0.700000 - accuracy: 0.5000 - val_loss: 0.600000 - val_accuracy: 0.7500"),
    (13.0, "2/2 - 1s - loss: 0.600000 - accuracy: 0.6000 - val_loss: 0.500000 - val_accuracy: 0.5000"),
    (13.5, "- val_accuracy: 0.7500"),
    (18.0, "OpenVINO IR: on 4 validation images its probabilities differ"),
    (21.0, "Bytes signature on 4 of them: median difference 0.000100"),
)
LOOP = (
    (3.0, "Imported"),
    (5.0, "Built"),
    (5.1, "Epoch 1/2"),
    (15.0, "2/2 - 10s - loss: 0.7 - accuracy: 0.5 - val_loss: 0.6 - val_accuracy: 0.7500 - 10s/epoch - 5s/step"),
    (19.0, "2/2 - 4s - loss: 0.6 - accuracy: 0.6 - val_loss: 0.5 - val_accuracy: 0.8000 - 4s/epoch - 2s/step"),
    (24.0, "Saved"),
)
MEMORY = ((1.0, 100 * MEGABYTE), (14.0, 300 * MEGABYTE), (20.0, 900 * MEGABYTE))


def seen(lines: tuple[tuple[float, str], ...], seconds: float) -> Watched:
    """Return what was seen of a process with this log."""
    return Watched(0.0, seconds, tuple(Line(second, text) for second, text in lines), MEMORY)


@pytest.fixture
def pair() -> Pair:
    """A round in which our job exports after 16 s, the loop after 24 s."""
    return Pair(runs.read_job(seen(JOB, 22.0), exported=16.0), runs.read_loop(seen(LOOP, 25.0)))


def test_our_log_comes_apart_into_phases(pair: Pair) -> None:
    """Given our job's log -> each phase has its seconds, and together they are the whole run."""
    phases = pair.ours.phases
    assert phases["importing TensorFlow"] == 1.5
    assert phases["training images"] == 5.0
    assert phases["export"] == 2.5
    assert phases["OpenVINO IR"] == 2.0
    assert phases["verification"] == 3.0
    assert sum(phases.values()) == pytest.approx(22.0)


def test_whole_network_decodes_in_its_first_epoch() -> None:
    """Given the log of a job that trains the whole network -> decoding is not a phase, but part of the first epoch."""
    figures = runs.read_job(seen(JOB, 22.0), exported=16.0, whole=True)
    assert figures.epochs == (8.0, 1.0)
    assert figures.phases["epochs"] == 9.0
    assert "training images" not in figures.phases
    assert sum(figures.phases.values()) == pytest.approx(22.0)


def test_epochs_are_measured_by_when_their_lines_came(pair: Pair) -> None:
    """Given both logs -> epochs, accuracies and seconds an epoch with decoding come from the lines' times."""
    assert pair.ours.epochs == (2.0, 1.0)
    assert pair.ours.per_epoch == 4.5
    assert pair.ours.accuracy == 0.75
    assert pair.loop.epochs == (10.0, 4.0)
    assert pair.loop.later_epochs == 4.0
    assert pair.loop.accuracies == (0.75, 0.8)


def test_memory_counts_until_the_export(pair: Pair) -> None:
    """Given a peak in the verification, after the export -> it is in the peak of the whole run alone."""
    assert pair.ours.megabytes == 300.0
    assert pair.ours.whole_megabytes == 900.0


def test_a_log_without_its_end_is_rejected() -> None:
    """Given a loop that never said that it saved -> the missing line is named."""
    with pytest.raises(ValueError, match="Saved"):
        runs.read_loop(seen(LOOP[:-1], 25.0))


@pytest.mark.parametrize(
    ("case", "speed", "verdicts"), [(HEAD, 1.5, [True, False]), (HEAD, 1.6, [False, False]), (WHOLE, 1.5, [True, True])]
)
def test_bars_can_hold_and_fail(pair: Pair, case: Case, speed: float, verdicts: list[bool]) -> None:
    """Given bars on both sides of what was measured -> those that were missed say so."""
    lines = [bar.verdict([pair]) for bar in table.bars(case, speed)]
    assert [not line.startswith("DOES NOT") for line in lines][: len(verdicts)] == verdicts


def test_what_one_epoch_cannot_tell_is_not_measured(pair: Pair) -> None:
    """Given a single epoch -> the bar on later epochs is neither held nor missed."""
    single = Figures(16.0, 22.0, 9.0, (2.0,), (0.75,), 300.0, 900.0, {})
    later = table.bars(WHOLE, 1.0)[1]
    assert later.verdict([Pair(single, pair.loop)]).startswith("NOT MEASURED")


def test_the_table_has_a_row_for_each(pair: Pair) -> None:
    """Given one round -> two Markdown rows as wide as the header, ours with the ratio."""
    ours, loop = table.rows("head", [pair])
    assert ours.startswith("| head | our job | 16.0 | 1.50 |")
    assert loop.count("|") == ours.count("|") == table.HEADER.splitlines()[0].count("|")


def test_the_memory_of_child_processes_counts() -> None:
    """Given a process whose child takes 64 MB -> the lines are timed, and the peak holds the child's memory too."""
    child = "import time; kept = b'x' * (64 << 20); time.sleep(0.5)"
    parent = f"import subprocess, sys; print('first', flush=True); subprocess.run([sys.executable, '-c', {child!r}])"
    found = watched.watch([sys.executable, "-c", parent], os.environ)
    assert [line.text for line in found.lines] == ["first"]
    assert 0 < found.lines[0].seconds < found.seconds
    assert found.peak_megabytes() > 64
    assert found.peak_megabytes(until=0) == 0


def test_a_process_that_fails_is_no_measurement() -> None:
    """Given a process that exits with 3 -> the error has its code and what it wrote."""
    with pytest.raises(RuntimeError, match=r"ended with 3:\nbroken"):
        watched.watch([sys.executable, "-c", "import sys; sys.stderr.write('broken'); sys.exit(3)"], os.environ)


def test_jobs_of_revisions_are_compared_round_by_round() -> None:
    """Given a machine that gets twice as slow after a round -> the ratio of the revisions stays what it is."""
    pairs = [(Job(slow * 20.0, slow * 33.0, ""), Job(slow * 16.0, slow * 30.0, "")) for slow in (1, 1, 2)]
    assert revisions.rows("head", pairs) == [
        "| head | seconds | 20.0 | 16.0 | 1.250 | 1.250 | 1.250 |",
        "| head | CPU seconds | 33.0 | 30.0 | 1.100 | 1.100 | 1.100 |",
    ]
