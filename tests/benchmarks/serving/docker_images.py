"""The serve image of this working tree against that of another revision: size, cold start, memory.

    scripts/benchmark serving.docker_images REVISION [--base IMAGE] [--rounds N]

Both images are built, each by its own revision's scripts/build, and their containers start in turns, the first of a
round alternating. Each revision serves EfficientNet-Lite0 as it has converted it. Printed: megabytes of the image;
seconds from `docker run` to the first 200 of /ping; seconds from then to the first answer; MiB of all processes of the
container after 64 images (proportional set size). Needs a Docker engine on this machine, and root to read the memory of
its processes.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.serving import benchmark_images, memory, page, places, revisions
from tests.benchmarks.serving.places import ROOT
from tests.image.containers import Container, ask, docker
from tests.support.waiting import wait_until

IMAGES = 64
"""Answered before memory is read: each worker has served some."""
PAUSE = 0.01
"""Seconds between two requests to /ping of a server that starts."""


@dataclass(frozen=True)
class Side:
    """A revision's image and the model folder that it serves."""

    image: str
    model: Path


def main() -> int:
    """Build, measure and print."""
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="docker-images-") as scratch:
        try:
            sides = _prepare(Path(scratch), given.revision, given.base)
        except (RuntimeError, subprocess.CalledProcessError) as error:
            print(error, file=sys.stderr)
            return 1
        photographs = [path.read_bytes() for path in benchmark_images.write_small(Path(scratch) / "photographs")]
        pairs: list[revisions.Pair] = []
        with _network() as options:
            for number in range(given.rounds):
                found = {side: _start(side, options, photographs) for side in _turn(sides, number)}
                pairs.append((found[sides[0]], found[sides[1]]))
    print(f"{page.machine()}\n")
    print("\n".join(revisions.table(pairs, given.revision)))
    return 0


def _prepare(scratch: Path, revision: str, base: str | None) -> tuple[Side, Side]:
    model = places.make_model(scratch, benchmark_images.write_small(scratch / "small")[0].parent)
    other = revisions.export(revision, scratch / "other", ".")
    prepared = places.Places(scratch, scratch / "ml", (), (), Path(sys.executable))
    theirs = revisions.converted_by(other / "container", prepared).model
    return Side(_build(ROOT, "here", base), model), Side(_build(other, "there", base), theirs)


def _build(tree: Path, name: str, base: str | None) -> str:
    tag = f"image-classifier-benchmark:{name}"
    words = ["--target", "serve", "--tag", tag, *(("--base", base) if base else ()), "--", "--network", "host"]
    subprocess.run([tree / "scripts" / "build", *words], check=True, stdout=subprocess.DEVNULL)
    return tag


@contextmanager
def _network() -> Iterator[tuple[str, ...]]:
    """Make a network for the published port, which an engine may lack, and remove it at the end."""
    network = f"image-classifier-benchmark-{uuid.uuid4().hex[:12]}"
    docker("network", "create", network)
    try:
        yield ("--network", network, "--publish", "127.0.0.1::8080")
    finally:
        docker("network", "rm", network, check=False)


def _turn(sides: tuple[Side, Side], number: int) -> Sequence[Side]:
    return sides if number % 2 == 0 else sides[::-1]


def _start(side: Side, options: Sequence[str], photographs: Sequence[bytes]) -> dict[str, float]:
    """Start a container, serve and measure; it is removed afterwards.

    Raises:
        AssertionError: The server does not start, or rejects a photograph.
    """
    container = Container(f"image-classifier-benchmark-{uuid.uuid4().hex[:12]}")
    mount = f"{side.model}:/opt/ml/model:ro"
    began = time.monotonic()
    docker("run", "--detach", "--name", container.name, *options, "--volume", mount, side.image, "serve")
    try:
        address = container.published()
        wait_until(lambda: ask(f"{address}/ping").status == 200, 60, "/ping says 200", PAUSE)
        ready = time.monotonic()
        _answer(address, photographs[0])
        first = time.monotonic()
        for number in range(1, IMAGES):
            _answer(address, photographs[number % len(photographs)])
        process = int(docker("inspect", "--format", "{{.State.Pid}}", container.name))
        return {
            "image, MB": json.loads(docker("image", "inspect", "--format", "{{.Size}}", side.image)) / 1e6,
            "from docker run to ready, s": ready - began,
            "from ready to the first answer, s": first - ready,
            f"memory after {IMAGES} images, MiB": memory.tree_megabytes(process),
        }
    finally:
        docker("rm", "--force", "--volumes", container.name, check=False)


def _answer(address: str, photograph: bytes) -> None:
    answer = ask(f"{address}/invocations", photograph)
    assert answer.status == 200, answer


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision", help="a commit, tag or branch of this repository")
    parser.add_argument("--base", help="the base image (default: the Dockerfile's)")
    parser.add_argument("--rounds", type=int, default=9)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
