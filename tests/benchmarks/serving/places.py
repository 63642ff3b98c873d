"""Preparation of a measurement: the model, the images, and a Python environment per server."""

import functools
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from image_classifier import PROGRAM, archives, artifacts
from image_classifier.model_hub import packages
from tests.benchmarks.serving import benchmark_images, load
from tests.support import python_environments

ROOT = PROGRAM.parent
ARCHIVE = "lite0.tar.gz"
"""Of the staged model, in the scratch folder."""
PEERS_LOCK = Path(__file__).with_name("requirements-peers.txt")
SERVE_LOCK, PROGRAM_LOCK = ROOT / "docker" / "requirements-serve.txt", ROOT / "docker" / "requirements-cpu.txt"


@dataclass(frozen=True)
class Places:
    """Where things lie."""

    scratch: Path
    tree: Path
    """As the platform lays out /opt/ml."""
    small: tuple[Path, ...]
    large: tuple[Path, ...]
    """Images as JPEG files, see images.py."""
    slim_python: Path
    """The packages of the serve image, without TensorFlow."""

    @functools.cached_property
    def peers_python(self) -> Path:
        """With what the cpu image installs, and LitServe; made when it is first asked for.

        Raises:
            RuntimeError: The environment cannot be made.
        """
        return python_environments.locked(_environments() / "peers", PROGRAM_LOCK, PEERS_LOCK)

    @property
    def model(self) -> Path:
        """The model folder."""
        return self.tree / "model"


def prepare(scratch: Path) -> Places:
    """Make everything below `scratch`, except the environments, which are kept in the cache; that of peers later.

    Raises:
        RuntimeError: wrk is missing, or an environment cannot be made.
    """
    load.find_wrk()
    slim = python_environments.locked(_environments() / "slim", SERVE_LOCK)
    small, large = benchmark_images.write_small(scratch / "small"), benchmark_images.write_large(scratch / "large")
    make_model(scratch, scratch / "small")
    return Places(scratch, scratch / "ml", tuple(small), tuple(large), slim)


def _environments() -> Path:
    return packages.cache_folder() / "serving-benchmark"


@contextmanager
def model_and_photographs() -> Iterator[tuple[Path, list[bytes]]]:
    """Return a model folder and the small photographs, for comparisons inside one process."""
    with tempfile.TemporaryDirectory(prefix="model-") as scratch:
        written = benchmark_images.write_small(Path(scratch) / "small")
        yield make_model(Path(scratch), written[0].parent), [path.read_bytes() for path in written]


def make_model(scratch: Path, photographs: Path) -> Path:
    """Make the model folder: EfficientNet-Lite0 with its ImageNet head, and an IR made now, not a cached one."""
    archive, folder = scratch / ARCHIVE, scratch / "ml" / "model"
    commands: list[list[str | Path]] = [
        [ROOT / "scripts" / "stage-backbone", "lite0", "--with-head", "--output", archive],
        [ROOT / "scripts" / "convert-model", folder, "--images", photographs],
    ]
    subprocess.run(commands[0], check=True, stdout=subprocess.DEVNULL)
    archives.unpack(archive, folder)
    subprocess.run(commands[1], check=True, stdout=subprocess.DEVNULL)
    assert (folder / artifacts.OPENVINO_DIR).is_dir()
    return folder
