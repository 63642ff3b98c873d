"""The comparison of precisions: what is measured, how it is printed, and when its bars are judged."""

from dataclasses import replace
from pathlib import Path

import pytest

from image_classifier.resources import processors
from tests.benchmarks.serving import precisions
from tests.benchmarks.serving.load import Load
from tests.benchmarks.serving.precisions import Engine, Measured
from tests.benchmarks.serving.runs import Figures
from tests.support import tiny_models


def measured(times: float) -> Measured:
    """Return a precision that is so many times as fast as float32."""
    load = Load(seconds=1, answers=round(100 * times), p50=10 / times, p99=20)
    server = Figures({1: load, 16: load}, 1, 1, 1, 1, megabytes=80 / times, peak_megabytes=90)
    return Measured(Engine(8 / times, 200 * times, 9 / times), server)


def test_engines_of_a_small_model_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One short round of the engine alone -> a row for float32 and int8, the CPU, and the reason for no bf16."""
    tiny_models.add_int8(tiny_models.write(tmp_path / "model", "a"))
    assert precisions.main([str(tmp_path / "model"), "--engine-only", "--rounds", "1", "--seconds", "0.05"]) == 0
    printed = capsys.readouterr().out
    assert "| f32 | " in printed
    assert "| int8 | " in printed
    assert processors.name() in printed
    if not processors.has_bfloat16():
        assert "bf16 left out: this CPU has no bfloat16 instructions" in printed


@pytest.mark.parametrize(("times", "verdict"), [(2.5, "holds"), (1.2, "**falls short**")])
def test_bars_are_judged_on_a_cpu_for_int8(monkeypatch: pytest.MonkeyPatch, times: float, verdict: str) -> None:
    """int8 of 2.5 and of 1.2 times the speed on VNNI -> bars hold and fall short; nothing is judged on plain AVX2."""
    monkeypatch.setattr(processors, "features", lambda *_: frozenset({"avx512_vnni"}))
    rounds = [{"f32": measured(1), "int8": measured(times)}]
    text = precisions.report(rounds, (1, 16))
    assert text.count(f"| {verdict} |") >= 3
    assert f"| int8 | {8 / times:.2f} ({1 / times:.2f}) |" in text
    monkeypatch.setattr(processors, "features", lambda *_: frozenset({"avx2"}))
    assert precisions.report(rounds, (1, 16)).count("not measured") == 4


def test_engine_alone_has_no_columns_of_the_server() -> None:
    """Rounds without the server -> no requests/s."""
    rounds = [{name: replace(measured(2), server=None) for name in ("f32", "int8")}]
    assert "requests/s over 1 |" not in precisions.report(rounds, (1,))
