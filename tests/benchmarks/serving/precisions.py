"""float32, bf16 and int8 of one model: the bare engine and our server in each, in alternating rounds.

    scripts/benchmark serving.precisions MODEL [--rounds N] [--engine-only] [--write]

MODEL is a model folder with an int8 network (quantization=auto, or scripts/convert-model --quantize). In every round
each precision is started afresh, another one first each time: the bare engine, without decoding, with one request and
with one a CPU; then our server, under wrk's closed loop of 640 x 480 JPEGs. Ratios are to float32 inside a round, so
what slows the machine down slows both; CPU time is the engine's own. A precision that this CPU or the model does not
have is left out, and the bars are judged only on a CPU with instructions for int8. `--write` puts the tables into
docs/reference/serving-benchmark.md.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from image_classifier import PROGRAM, artifacts
from image_classifier.contract.opt_ml import BASE_DIR_VARIABLE
from image_classifier.contract.serving_variables import PRECISION
from image_classifier.inference.openvino_model import ir_record, precision_record
from image_classifier.resources import processors
from tests.benchmarks.serving import benchmark_images, markdown, page, promises, runs
from tests.benchmarks.serving.places import ROOT, Places
from tests.benchmarks.serving.promises import Promise
from tests.benchmarks.serving.runs import Figures
from tests.support.waiting import free_port

F32, BF16, INT8 = PRECISIONS = ("f32", "bf16", "int8")


@dataclass(frozen=True)
class Engine:
    """What the bare engine measured in one run."""

    milliseconds: float
    """Median of one image after another, on one stream of one CPU."""
    rate: float
    """Images/s with one request per CPU."""
    cpu_milliseconds: float
    """CPU time of an image in the latter."""


@dataclass(frozen=True)
class Measured:
    """One precision in one round."""

    engine: Engine
    server: Figures | None = None


Round = Mapping[str, Measured]
"""By precision."""


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print, and write the page when asked."""
    given = _arguments(words)
    if given.engine:
        network, hint = given.engine
        print(json.dumps(measure_engine(network, hint, given.seconds)), flush=True)
        return 0
    wanted = available(given.model)
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory(prefix="precisions-") as scratch:
        prepared = _places(given.model, Path(scratch))
        for number in range(given.rounds):
            found = {}
            for precision in (*wanted[number % len(wanted) :], *wanted[: number % len(wanted)]):
                engine = _engine(given.model, precision, given.seconds)
                server = None if given.engine_only else _server(precision, prepared, given)
                found[precision] = Measured(engine, server)
                print(f"round {number + 1}, {precision}: measured", flush=True)
            rounds.append(found)
    text = f"{introduction(given, wanted)}\n\n{report(rounds, given.connections)}"
    print(f"\n{text}")
    if given.write:
        page.write("precision", text)
    return 0


def available(model: Path) -> list[str]:
    """Return the precisions that this CPU and the model have; float32 is first."""
    info = artifacts.read_model_info(model)
    has = {F32: True, BF16: processors.has_bfloat16(), INT8: precision_record.read_int8(model, info) is not None}
    return [name for name in PRECISIONS if has[name]]


def measure_engine(network: str, precision: str, seconds: float) -> list[float]:
    """Be the fresh process: return the fields of `Engine` for the IR in a folder, beside its model info."""
    from tests.benchmarks.serving import bare

    size = artifacts.read_model_info(Path(network).parent).image_size
    requests = bare.compile_requests(Path(network), size, processors.available_processors(), precision)
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    for request in requests:
        bare.run(request, pixels)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        bare.run(requests[0], pixels)
        times.append(time.perf_counter() - began)
    counts = [0] * len(requests)

    def work(number: int) -> None:
        while time.perf_counter() < end:
            bare.run(requests[number], pixels)
            counts[number] += 1

    began, used, end = time.perf_counter(), time.process_time(), time.perf_counter() + seconds
    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    images, lasted = sum(counts), time.perf_counter() - began
    return [1000 * statistics.median(times), images / lasted, 1000 * (time.process_time() - used) / images]


def _engine(model: Path, precision: str, seconds: float) -> Engine:
    network = precision_record.folder_of(model) if precision == INT8 else ir_record.folder_of(model)
    # What was not quantised computes in float32, as in our server.
    hint = BF16 if precision == BF16 else F32
    command = [sys.executable, "-m", "tests.benchmarks.serving.precisions", str(model), "--engine", str(network), hint]
    command += ["--seconds", str(seconds)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROGRAM), str(ROOT), str(ROOT / "scripts")])}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return Engine(*json.loads(done.stdout))


def _places(model: Path, scratch: Path) -> Places:
    tree = scratch / "ml"
    tree.mkdir()
    (tree / "model").symlink_to(model.absolute())
    return Places(scratch, tree, tuple(benchmark_images.write_middle(scratch / "images")), (), Path(sys.executable))


def _server(precision: str, prepared: Places, given: argparse.Namespace) -> Figures:
    port = free_port()
    environment = {
        BASE_DIR_VARIABLE: str(prepared.tree),
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "SERVE_HOST": "127.0.0.1",
        PRECISION.name: precision,
    }
    command = [str(prepared.slim_python), str(PROGRAM / "serve")]
    return runs.measure_server(
        command, environment, port, prepared, given.connections, max(1, round(given.seconds)), False
    )


def introduction(given: argparse.Namespace, wanted: Sequence[str]) -> str:
    """Return what was measured, on which CPU, and what was left out."""
    fast = [*processors.int8_features(), *processors.bfloat16_features()] or ["neither int8 nor bfloat16 instructions"]
    left_out = {BF16: "this CPU has no bfloat16 instructions", INT8: "the model has no int8 network"}
    reasons = "; ".join(f"{name} left out: {left_out[name]}" for name in PRECISIONS if name not in wanted)
    info = artifacts.read_model_info(given.model)
    return (
        f"Written by `scripts/benchmark serving.precisions MODEL --rounds {given.rounds} --seconds {given.seconds:g}` "
        f"on {page.machine()} This CPU has {', '.join(fast)}. Model: {info.model_id or info.source or 'unnamed'}, "
        f"{info.image_size[1]} x {info.image_size[0]} pixels. Medians of the rounds; in brackets the median ratio to "
        f"float32 inside a round.{f' {reasons}.' if reasons else ''}"
    )


def report(rounds: Sequence[Round], connections: Sequence[int]) -> str:
    """Return the tables and the bars in Markdown."""
    values = [*_ENGINE, *(_server_values(connections) if rounds[0][F32].server else [])]
    lines = markdown.head("precision", *(name for name, _, _ in values))
    for precision in [name for name in PRECISIONS if name in rounds[0]]:
        cells = [_cell(rounds, precision, value, form) for _, value, form in values]
        lines.append(markdown.line(precision, *cells))
    judged = [promises.HEADER, *(bar.row(rounds) for bar in bars(connections))]
    return "\n".join([*lines, "", *judged])


Value = Callable[[Measured], float]
_ENGINE: list[tuple[str, Value, str]] = [
    ("engine, ms alone", lambda one: one.engine.milliseconds, "{:.2f}"),
    ("engine, images/s", lambda one: one.engine.rate, "{:.0f}"),
    ("engine, CPU ms an image", lambda one: one.engine.cpu_milliseconds, "{:.2f}"),
]


def _server_values(connections: Sequence[int]) -> list[tuple[str, Value, str]]:
    return [
        *((f"requests/s over {count}", _rate(count), "{:.0f}") for count in connections),
        (f"p50 in ms over {connections[0]}", _p50(connections[0]), "{:.1f}"),
        ("MB", _megabytes, "{:.0f}"),
    ]


def _rate(count: int) -> Value:
    return lambda one: one.server.loads[count].rate if one.server else float("nan")


def _p50(count: int) -> Value:
    return lambda one: one.server.loads[count].p50 if one.server else float("nan")


def _megabytes(one: Measured) -> float:
    return one.server.megabytes if one.server else float("nan")


def _cell(rounds: Sequence[Round], precision: str, value: Value, form: str) -> str:
    text = form.format(statistics.median(value(one[precision]) for one in rounds))
    if precision == F32:
        return text
    return f"{text} ({statistics.median(value(one[precision]) / value(one[F32]) for one in rounds):.2f})"


def bars(connections: Sequence[int]) -> list[Promise[Round]]:
    """Return what int8 is expected to reach, on a CPU with instructions for it."""

    def ratio(value: Value) -> Callable[[Round], float | None]:
        def measured(found: Round) -> float | None:
            judged = INT8 in found and processors.int8_features()
            return value(found[INT8]) / value(found[F32]) if judged else None

        return measured

    most = connections[-1]
    return [
        Promise("engine, images/s, int8 times float32: >= 2.2", ratio(lambda one: one.engine.rate), 2.2),
        Promise(f"requests/s over {most} connections, int8 times float32: >= 1.6", ratio(_rate(most)), 1.6),
        Promise(
            f"p50 over {connections[0]} connections, int8 times float32: <= 0.7",
            ratio(_p50(connections[0])),
            0.7,
            at_least=False,
        ),
        Promise("memory, int8 times float32: <= 1", ratio(_megabytes), 1.0, at_least=False),
    ]


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/benchmark serving.precisions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement; whole ones for the server")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16], metavar="N")
    parser.add_argument("--engine-only", action="store_true", help="without the server, which needs wrk")
    parser.add_argument("--write", action="store_true", help="into docs/reference/serving-benchmark.md")
    parser.add_argument("--engine", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
