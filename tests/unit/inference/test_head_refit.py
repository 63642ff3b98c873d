"""The last layer of a quantised network is refitted: what a linear layer can undo is undone, chance is not followed."""

from typing import Any

import numpy as np
import openvino
import pytest
from numpy.typing import NDArray
from openvino import opset13 as operations

from image_classifier import artifacts
from image_classifier.inference.openvino_model import head_refit
from image_classifier.inference.openvino_model.head_refit import Matrix

DIMENSIONS, SIDE = 6, 4


def network(gain: float = 1.0, outputs: int = 3, transposed: bool = False, shift: float = 0.0) -> openvino.Model:
    """Return a network whose features are the pixels' means by column, times `gain`, and `shift` more."""
    pixels = operations.parameter([-1, SIDE, DIMENSIONS, 1], openvino.Type.u8, name="pixels")
    means = operations.reduce_mean(operations.convert(pixels, "f32"), np.array([1, 3]), keep_dims=False)
    features = operations.add(operations.multiply(means, np.float32(gain / 255)), np.float32(shift))
    kernel = np.random.default_rng(0).normal(size=(DIMENSIONS, outputs)).astype(np.float32) * 3
    stored = np.ascontiguousarray(kernel.T) if transposed else kernel
    logits = operations.add(operations.matmul(features, stored, False, transposed), np.full((1, outputs), 0.5, "f4"))
    answer = operations.softmax(logits, 1) if outputs > 1 else operations.sigmoid(logits)
    answer.output(0).get_tensor().set_names({artifacts.PROBABILITIES})
    features.output(0).get_tensor().set_names({artifacts.FEATURES})
    return openvino.Model([answer, features], [pixels], "network")


def pixels(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return images."""
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, DIMENSIONS, 1)).astype(np.uint8)


def largest_difference(first: openvino.Model, second: openvino.Model) -> float:
    """Return the largest |Δp| on images that nothing was fitted on."""
    found = [openvino.Core().compile_model(model, "CPU")(pixels(50, seed=9))[0] for model in (first, second)]
    return float(np.abs(found[0] - found[1]).max())


@pytest.mark.parametrize(("outputs", "transposed"), [(3, False), (3, True), (1, False)])
def test_what_is_linear_is_undone(outputs: int, transposed: bool) -> None:
    """Given features that are all too small and shifted -> the head of any form answers like float32's afterwards."""
    float32 = network(outputs=outputs, transposed=transposed)
    changed = network(0.8, outputs, transposed, shift=0.1)
    before = largest_difference(float32, changed)
    assert head_refit.refit(changed, float32, pixels(40)) == 40
    assert largest_difference(float32, changed) < before / 5


def test_head_of_an_equal_network_stays() -> None:
    """Given features that are float32's -> nothing is fitted, and the probabilities are the same bit for bit."""
    float32, same = network(), network()
    assert head_refit.refit(same, float32, pixels(40)) == 0
    assert largest_difference(float32, same) == 0


def test_features_that_are_known_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given the features of float32 -> the same head; of another number of dimensions -> they are computed."""
    float32, images = network(), pixels(40)
    heads: list[Matrix] = []
    calls: list[openvino.Model] = []
    compute = head_refit.features_of

    def counted(model: openvino.Model, *given: Any) -> Matrix:
        calls.append(model)
        return compute(model, *given)

    monkeypatch.setattr(head_refit, "features_of", counted)
    for known in (None, compute(float32, images).astype(np.float32), np.zeros((40, 5), np.float32)):
        changed = network(0.8)
        assert head_refit.refit(changed, float32, images, known) == 40
        heads.append(head_refit.kernel_of(head_refit.linear_head(changed)))
    assert len(calls) == 2 + 1 + 2
    assert heads[1] == pytest.approx(heads[0], abs=1e-4)
    assert np.array_equal(heads[2], heads[0])


def test_chance_is_not_followed() -> None:
    """Given what no feature explains -> a change of at most a tenth of what least squares would make."""
    draws = np.random.default_rng(3)
    features, missing = draws.normal(size=(30, 20)), draws.normal(size=(30, 1))
    change = head_refit.fitted(features, missing - missing.mean())
    free = np.linalg.lstsq(features - features.mean(axis=0), missing - missing.mean(), rcond=None)[0]
    assert change is None or np.linalg.norm(change.kernel) < 0.1 * np.linalg.norm(free)


def test_strength_is_that_of_the_smallest_leave_one_out_error() -> None:
    """Given few features that explain a part -> the change is the best one of those fitted without each image."""
    draws = np.random.default_rng(1)
    features = draws.normal(size=(25, 4))
    missing = features @ draws.normal(size=(4, 2)) * 0.3 + draws.normal(size=(25, 2))
    errors = {strength: left_out_error(features, missing, strength) for strength in head_refit.STRENGTHS}
    change = head_refit.fitted(features, missing)
    assert change is not None
    best = ridge(features, missing, min(errors, key=errors.__getitem__), gram_scale(features))
    assert change.kernel == pytest.approx(best[0])
    assert change.bias == pytest.approx(best[1])


def gram_scale(features: Matrix) -> float:
    """Return the mean eigenvalue of the Gram matrix."""
    return float(((features - features.mean(axis=0)) ** 2).sum() / len(features))


def ridge(features: Matrix, missing: Matrix, strength: float, scale: float) -> tuple[Matrix, Matrix]:
    """Return kernel and intercept by the normal equations."""
    rows, mean = features - features.mean(axis=0), missing.mean(axis=0)
    kernel = np.linalg.solve(rows.T @ rows + strength * scale * np.eye(rows.shape[1]), rows.T @ (missing - mean))
    return kernel, mean - features.mean(axis=0) @ kernel


def left_out_error(features: Matrix, missing: Matrix, strength: float) -> float:
    """Return the mean squared error of each row by a fit without it, at the strength of all."""
    errors = []
    for row in range(len(features)):
        others = np.arange(len(features)) != row
        kernel, bias = ridge(features[others], missing[others], strength, gram_scale(features))
        errors.append(((missing[row] - features[row] @ kernel - bias) ** 2).mean())
    return float(np.mean(errors))


def test_head_that_is_no_matrix_product_of_features_stays() -> None:
    """Given a convolution as the head -> it is not refitted."""
    given = operations.parameter([-1, 3, 1, 1], openvino.Type.f32, name="pixels")
    logits = operations.convolution(given, np.ones((2, 3, 1, 1), np.float32), [1, 1], [0, 0], [0, 0], [1, 1])
    answer = operations.softmax(operations.squeeze(logits, np.array([2, 3])), 1)
    answer.output(0).get_tensor().set_names({artifacts.PROBABILITIES})
    model = openvino.Model([answer], [given], "convolution")
    assert head_refit.refit(model, model, pixels(3)) == 0


def test_time_is_checked_before_each_batch() -> None:
    """Given a deadline that passes within -> its exception."""

    def late() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        head_refit.refit(network(0.8), network(), pixels(40), check=late)
