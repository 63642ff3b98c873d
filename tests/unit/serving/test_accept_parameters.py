"""Parameters of the Accept header that are nearly ours, and those of others."""

import pytest

from image_classifier.serving.formats import response_formats
from image_classifier.serving.rejection import RejectedError


@pytest.mark.parametrize(
    ("parameter", "meant"),
    [
        ("verbos", "verbose"),
        ("n_prediction=3", "n_predictions"),
        ("n-predictions=3", "n_predictions"),
        ("top_k=3", "n_predictions"),
        ("embeddings", "embedding"),
        ("treshold=0.5", "threshold"),
    ],
)
def test_misspelt_parameter_is_rejected(parameter: str, meant: str) -> None:
    """Given Accept with a parameter that is nearly one of ours -> 406 with ours, not an answer without it."""
    with pytest.raises(RejectedError, match=f"which is unknown. Did you mean {meant}") as found:
        response_formats.negotiate(f"application/json;verbose;{parameter}")
    assert (found.value.status, found.value.code) == (406, "not_acceptable")


@pytest.mark.parametrize("parameter", ["charset=utf-8", "q=0.5", "odata=verbose", "version=1", "indent=2"])
def test_parameters_of_others_are_ignored(parameter: str) -> None:
    """Given Accept with a parameter of other programs -> the format without it."""
    assert response_formats.negotiate(f"application/json;{parameter}") == response_formats.PLAIN
