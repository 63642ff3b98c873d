"""Show the whole way on real photographs: stage, fetch, train, serve, ask, and say how well."""

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from image_classifier import PROGRAM
from image_classifier.cli import chosen_model, train_locally
from image_classifier.cli.photographs import sample_sets
from image_classifier.contract.errors import ExplainedError, PlatformError, UserError, report_and_exit_code
from image_classifier.imaging import EXTENSIONS
from image_classifier.model_hub import packages
from image_classifier.runners.job_tree import LocalJob

ROOT = PROGRAM.parent
SAMPLES = ("solar", "stamps", "flowers")
PORT = 8080
SETTINGS = {"train_only_top_layer": "True", "epochs": "20", "learning_rate": "0.003"}
"""The head alone, on features that are computed once: what suits a laptop."""


@dataclass
class Stopwatch:
    """How long each phase took, in the order in which they ran."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Announce a phase and time it."""
        print(f"\n== {name}", flush=True)
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started


@dataclass(frozen=True)
class Score:
    """How the held-out images were answered."""

    right: int
    images: int
    majority: float
    """The share of the largest class: what always giving the same answer would score."""

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.right / self.images


def run(data: str, keep_serving: bool) -> Score:
    """Run every phase and print what was found.

    Raises:
        ExplainedError: A phase failed; the message says why.
    """
    watch = Stopwatch()
    cache, output = packages.cache_folder(), ROOT / "run" / f"demo-{Path(data).name}"
    with watch.phase("Stage the backbone: EfficientNet-Lite0, pre-trained on ImageNet"):
        model = chosen_model.choose(None, {}).fetch()
    with watch.phase(f"Fetch the photographs: {data}"):
        training, held_out = _photographs(data, cache)
    with watch.phase("Train the head"):
        if train_locally.train(LocalJob(training, model, output, hyperparameters=SETTINGS), overwrite=True) != 0:
            raise PlatformError("The training job failed; its own message stands above.")
    port = PORT if keep_serving else _free_port()
    with contextlib.ExitStack() as stack:
        with watch.phase("Serve the result"):
            server = stack.enter_context(_serving(output / "model", port))
            print(f"Ready on http://127.0.0.1:{port}")
        with watch.phase("Classify held-out images over HTTP"):
            score = _ask(held_out, port)
        _tell(score, watch.seconds, output, held_out)
        if keep_serving:
            print(f"\nServing on http://127.0.0.1:{port} until Ctrl-C.", flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                server.wait()
    return score


def _photographs(data: str, cache: Path) -> tuple[Path, Path]:
    if data in SAMPLES:
        folder = sample_sets.fetch(data, cache / "data" / data)
        return folder / "train", folder / "held-out"
    if not Path(data).is_dir():
        raise UserError(f"--data is {data!r}: no folder, and none of {', '.join(SAMPLES)}.")
    folder = sample_sets.hold_out(Path(data), cache / "own-data" / Path(data).resolve().name)
    return folder / "train", folder / "held-out"


@contextlib.contextmanager
def _serving(model: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [str(ROOT / "scripts" / "serve-locally"), str(model), "--port", str(port)]
    # A line for each of the held-out images would bury what counts.
    environment = {"SERVE_ACCESS_LOG": "errors", **os.environ}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    try:
        _wait_until_ready(process, port)
        yield process
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise PlatformError(f"The server ended with exit code {process.returncode}; its message stands above.")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5).close()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
        else:
            return
    raise PlatformError(f"The server on port {port} was not ready within {seconds:.0f} s.")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _ask(held_out: Path, port: int) -> Score:
    images = [path for path in sorted(held_out.rglob("*")) if path.suffix.lower() in EXTENSIONS]
    url = f"http://127.0.0.1:{port}/invocations"
    command = [str(ROOT / "scripts" / "predict"), "--json", "--url", url, *map(str, images)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise PlatformError(f"scripts/predict ended with exit code {done.returncode}; its message stands above.")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    right = sum(answer["predicted_label"] == path.parent.name for answer, path in zip(answers, images, strict=True))
    sizes = Counter(path.parent.name for path in images)
    return Score(right, len(images), max(sizes.values()) / len(images))


def _tell(score: Score, seconds: Mapping[str, float], output: Path, held_out: Path) -> None:
    print(
        f"\nHeld-out accuracy: {score.accuracy:.4f} ({score.right} of {score.images} images; "
        f"always answering the largest class: {score.majority:.4f})"
    )
    for name, value in seconds.items():
        print(f"  {value:6.1f} s  {name}")
    image = next(path for path in sorted(held_out.rglob("*")) if path.is_file())
    here = [os.path.relpath(path) for path in (output, image)]
    print("\nNext:")
    print(f"  scripts/serve-locally {here[0]}/model")
    print(f"  scripts/predict {here[1]}")
    print("  scripts/train-locally --training DIR train_only_top_layer=True   # your own folder of images")
    print(f"  the report: {here[0]}/output/data/", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scripts/demo`."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description="Train, serve and ask, on real photographs.")
    parser.add_argument("--data", default="solar", metavar="flowers|stamps|solar|DIR", help="default: solar")
    parser.add_argument("--keep-serving", action="store_true", help=f"go on serving on port {PORT}")
    given = parser.parse_args(arguments)
    try:
        run(given.data, given.keep_serving)
    except ExplainedError as error:
        return report_and_exit_code(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
