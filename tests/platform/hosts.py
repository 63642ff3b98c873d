"""Several hosts of one job on this machine: `container/train` on a folder tree each, and what their models hold."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_classifier import tensorflow_start
from tests.platform.training_process import COLOURS, link_backbone, make_tree
from tests.support.environments import unmeasured
from tests.support.waiting import free_port

ROOT = Path(__file__).parents[2]
LONGEST = 200

_TWO_DEVICES = """
import sys
from tests.unit.training.on_devices import two_processors
from image_classifier.training import job, stopping
two_processors()
sys.exit(job.main(stopping.StopSignal()))
"""


@dataclass
class Host:
    """One host's tree, its process, and where its log goes."""

    tree: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        """What it has printed so far, on both streams."""
        return (self.tree / "log").read_text(encoding="utf-8", errors="replace")

    @property
    def failure(self) -> str:
        """The failure file."""
        return (self.tree / "output" / "failure").read_text(encoding="utf-8")

    def wait(self, seconds: float = LONGEST) -> int:
        """Return its exit code."""
        return self.process.wait(seconds)


def tree_of(folder: Path, backbone: Path, hosts: tuple[str, ...] = (), rank: int = 0, **hyperparameters: Any) -> Path:
    """Lay out a host's tree: two colours, a backbone, and which of the hosts it is."""
    tree = make_tree(folder, COLOURS, **hyperparameters)
    link_backbone(tree, backbone)
    if hosts:
        resources = {"current_host": hosts[rank], "hosts": list(hosts), "network_interface_name": "lo"}
        (tree / "input/config/resourceconfig.json").write_text(json.dumps(resources))
    return tree


def start(tree: Path, variables: dict[str, str] | None = None, *command: str) -> Host:
    """Start a training process on a tree: `container/train`, or what the words after Python's own say."""
    environment = unmeasured(SAGEMAKER_BASE_DIR=str(tree), PYTHONUNBUFFERED="1", **(variables or {}))
    words = [sys.executable, *(command or (str(ROOT / "container" / "train"),))]
    with (tree / "log").open("wb") as log:
        process = subprocess.Popen(words, env=environment, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
    return Host(tree, process)


def start_on_two_devices(tree: Path) -> Host:
    """Start a training process whose TensorFlow sees two devices."""
    return start(tree, {"PYTHONPATH": f"{ROOT / 'container'}:{ROOT}"}, "-c", _TWO_DEVICES)


def start_hosts(folder: Path, backbone: Path, variables: dict[str, str], **hyperparameters: Any) -> list[Host]:
    """Start two hosts of one job; the first is the chief."""
    names = tuple(sorted(f"127.0.0.1:{free_port()}" for _ in range(2)))
    trees = [tree_of(folder / f"host-{rank}", backbone, names, rank, **hyperparameters) for rank in range(2)]
    return [start(tree, variables) for tree in trees]


def weights(tree: Path) -> dict[str, NDArray[Any]]:
    """Return the variables of the model that a job left, by their names in the SavedModel."""
    tensorflow_start.start()
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(tree / "model" / "1" / "variables" / "variables"))
    names = [name for name in reader.get_variable_to_shape_map() if name.endswith("VARIABLE_VALUE")]
    return {name: reader.get_tensor(name) for name in names}


def largest_difference(one: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]]) -> float:
    """Return by how much two models' variables differ at most."""
    assert one.keys() == other.keys()
    assert one
    return max(float(np.max(np.abs(one[name].astype(np.float64) - other[name]))) for name in one)
