"""The warm-up of a server reaches the decoding libraries, so that no request waits for their import."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from image_classifier.contract import imaging_versions
from image_classifier.imaging import fixed_point, libjpeg_turbo
from image_classifier.inference.predictor import Predictor
from tests.support import tiny_models


@pytest.mark.parametrize(
    ("version", "reached"), [(1, ["libjpeg_turbo"]), (imaging_versions.VERSIONS[-1], ["libjpeg_turbo", "fixed_point"])]
)
def test_warm_up_decodes_and_resizes_as_requests_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int, reached: list[str]
) -> None:
    """Given a model of each version -> its warm-up calls libjpeg-turbo, and in the newest the fixed-point resizer."""
    tiny_models.write(tmp_path / "model", "tiny", imaging_version=version)
    predictor = Predictor.load(tmp_path / "model")
    called: list[str] = []
    for module, name in ((libjpeg_turbo, "decode"), (fixed_point, "resize")):
        monkeypatch.setattr(module, name, noting(called, module.__name__, getattr(module, name)))
    predictor.warm_up()
    assert [name.rpartition(".")[2] for name in called] == reached


def noting(called: list[str], name: str, act: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that notes its call and acts."""

    def act_and_note(*given: Any) -> Any:
        called.append(name)
        return act(*given)

    return act_and_note
