"""Interpolated weights, and the choice of alpha on outputs that are given."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from image_classifier.training.recipes import choice, interpolation
from image_classifier.training.recipes.interpolation import Interpolation, Mixture
from image_classifier.training.stopping import JobStopped

LABELS = np.arange(60) % 3


def _weights(seed: int) -> list[NDArray[Any]]:
    return [np.random.default_rng(seed).normal(size=(3, 2)).astype(np.float32), np.array(seed, np.int64)]


START, TUNED = (_weights(seed) for seed in (1, 2))


def right_on(rows: range) -> NDArray[np.float32]:
    """Return outputs that are right on some rows and wrong on the others."""
    predicted = np.where(np.isin(np.arange(60), rows), LABELS, (LABELS + 1) % 3)
    return np.eye(3, dtype=np.float32)[predicted]


def choose(outputs: Mapping[float, NDArray[np.float32]], labels: NDArray[np.int64], seed: int) -> Interpolation:
    """Choose among mixtures with one tuned network, by alpha."""
    return interpolation.choose({Mixture(alpha): one for alpha, one in outputs.items()}, labels, seed)


def test_both_ends_are_exact_and_integers_are_the_tuned_ones() -> None:
    """Given alpha 0, 1 and 1/4 -> the bits of the start, of the tuned weights, and a quarter of the way."""
    for alpha, expected in ((0.0, START), (1.0, TUNED)):
        found = interpolation.between(START, TUNED, alpha)
        assert found[0].tobytes() == expected[0].tobytes()
    quarter, count = interpolation.between(START, TUNED, 0.25)
    np.testing.assert_allclose(quarter, START[0] + 0.25 * (TUNED[0] - START[0]), rtol=1e-6)
    assert (quarter.dtype.name, int(count)) == ("float32", 2)


def test_a_planted_optimum_between_both_ends_is_found() -> None:
    """Given outputs that are best at alpha 1/2 -> 1/2 is chosen, with the accuracy and the outputs of each alpha."""
    outputs = {0.0: right_on(range(40)), 0.25: right_on(range(45)), 0.5: right_on(range(55)), 1.0: right_on(range(30))}
    found = choose(outputs, LABELS, 7)
    assert found.best == Mixture(0.5)
    assert list(found.accuracies.values()) == pytest.approx([40 / 60, 45 / 60, 55 / 60, 30 / 60])
    np.testing.assert_array_equal(found.cross_fitted, outputs[0.5])


def test_stop_between_two_passes_leaves_the_ends(capsys: pytest.CaptureFixture[str]) -> None:
    """Given a stop before the second of three passes -> no outputs in between, and a line in the log."""
    passes: list[int] = []

    def predict(*_: object) -> Any:
        passes.append(1)
        if len(passes) > 1:
            raise JobStopped
        return SimpleNamespace(outputs=right_on(range(60)))

    inputs: Any = SimpleNamespace(
        network=SimpleNamespace(trained_variables=[]),
        images=SimpleNamespace(validation=None),
        session=SimpleNamespace(raise_if_stopped=None),
    )
    evaluator: Any = SimpleNamespace(predict=predict)
    assert interpolation.outputs_between(inputs, [], [], evaluator) == {}
    assert capsys.readouterr().out == "Interpolation was interrupted: a stop was requested.\n"


def test_the_best_of_two_networks_is_chosen_with_its_alpha() -> None:
    """Given two tuned networks, the second better at alpha 1/2 -> that one; equal ones -> the first."""
    outputs = {
        Mixture(0.0): right_on(range(40)),
        Mixture(0.5, 0): right_on(range(50)),
        Mixture(0.5, 1): right_on(range(55)),
        Mixture(1.0, 1): right_on(range(45)),
    }
    assert interpolation.choose(outputs, LABELS, 7).best == Mixture(0.5, 1)
    outputs[Mixture(0.5, 0)] = outputs[Mixture(0.5, 1)]
    assert interpolation.choose(outputs, LABELS, 7).best == Mixture(0.5, 0)


def test_equal_accuracies_choose_the_smaller_alpha() -> None:
    """Given alphas that are right on other, equally many images -> the smallest, and stage 0 if it is among them."""
    tied = {1.0: right_on(range(20, 50)), 0.75: right_on(range(10, 40)), 0.5: right_on(range(5))}
    assert choose(tied, LABELS, 7).best.alpha == 0.75
    found = choose({**tied, 0.0: right_on(range(30))}, LABELS, 7)
    assert found.best.alpha == 0
    assert not choice.compare(right_on(range(30)), found.cross_fitted, LABELS).tuned_wins


def test_cross_fitting_removes_the_optimism_of_choosing_among_noise() -> None:
    """Given alphas that guess -> the best of them is above one in three, its cross-fitted outputs are not."""
    generator = np.random.default_rng(5)
    labels = generator.integers(0, 3, 300)
    chosen, cross_fitted = [], []
    for seed in range(40):
        outputs = {alpha: generator.normal(size=(300, 3)).astype(np.float32) for alpha in (0, 0.25, 0.5, 0.75, 1)}
        found = choose(outputs, labels, seed)
        chosen.append(max(found.accuracies.values()))
        cross_fitted.append(choice.correct(found.cross_fitted, labels).mean())
    assert np.mean(chosen) > 1 / 3 + 0.02
    assert np.mean(cross_fitted) == pytest.approx(1 / 3, abs=0.015)


def test_choice_is_a_function_of_the_seed() -> None:
    """Given the same outputs and seed, twice -> the same cross-fitted outputs."""
    generator = np.random.default_rng(6)
    outputs = {alpha: generator.normal(size=(60, 3)).astype(np.float32) for alpha in (0.0, 0.5, 1.0)}
    one, same = (choose(outputs, LABELS, 3).cross_fitted for _ in range(2))
    np.testing.assert_array_equal(one, same)
