"""Methods in the place of NNCF's, which write an IR in no time."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import openvino
import pytest
from openvino import opset13 as operations

from image_classifier.inference.openvino_model import nncf_network, quantisation
from image_classifier.inference.openvino_model.nncf_network import NotQuantised, OutOfTime

Method = Callable[[Path, Path], None]
"""Writes the IR of a float32 IR's folder into another one."""


@dataclass
class Ran:
    """What was asked of the planted methods."""

    steps: list[str] = field(default_factory=list)
    statistics: list[np.ndarray] = field(default_factory=list)
    """The images for the ranges, uint8 (n, h, w, 3), of each network."""
    whole_range: list[bool] = field(default_factory=list)
    """Whether its weights were to use the whole 8-bit range."""


def plant(monkeypatch: pytest.MonkeyPatch, methods: Mapping[str, Method]) -> Ran:
    """Put methods in the place of NNCF's, by step; return what they are asked."""
    ran = Ran()

    class Planted(nncf_network.Network):
        def __post_init__(self) -> None:
            """Import nothing."""
            ran.statistics.append(self.statistics)
            ran.whole_range.append(self.whole_range)

        def write(self, step: str, partial: Path) -> int:
            ran.steps.append(step)
            methods[step](self.source, partial)
            return 0

    monkeypatch.setattr(quantisation, "Network", Planted)
    return ran


def good(source: Path, partial: Path) -> None:
    """Write the float32 network as it is."""
    shutil.copytree(source, partial, dirs_exist_ok=True)


def wrong(source: Path, partial: Path) -> None:
    """Write a network that gives each class the probability of the next one."""
    model = openvino.Core().read_model(source / "model.xml")
    result = next(found for found in model.get_results() if "probabilities" in found.output(0).get_names())
    answer = result.input_value(0)
    names = answer.get_names()
    moved = operations.gather(answer, np.array([1, 2, 0], np.int64), np.int64(1))
    result.input(0).replace_source_output(moved.output(0))
    answer.get_tensor().set_names(set())
    moved.output(0).get_tensor().set_names(names)
    partial.mkdir(exist_ok=True)
    openvino.save_model(model, partial / "model.xml", compress_to_fp16=False)


def slow(source: Path, partial: Path) -> None:
    """Take longer than there is time."""
    raise OutOfTime


def fails(source: Path, partial: Path) -> None:
    """Fail as NNCF does."""
    raise NotQuantised("NNCF cannot quantise it")
