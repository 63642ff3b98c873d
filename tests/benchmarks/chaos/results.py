"""The results of a finished job that must not depend on the number of kills."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from image_classifier import artifacts
from image_classifier.inference.predictor import Predictor
from image_classifier.training.checkpoints.store import Checkpoint, Checkpoints

_WITH_DURATIONS = ("report.html", "model_card.json", "evidence.npz")
"""Reports that state how long the job took."""
_VARIABLES = Path(artifacts.SAVED_MODEL_DIR) / "variables" / "variables.data-00000-of-00001"


def read(tree: Path) -> dict[str, bytes]:
    """Return each part of a finished job's result as bytes, by its name."""
    files = sorted((tree / "output" / "data").iterdir())
    reports = {path.name: path.read_bytes() for path in files if path.name not in _WITH_DURATIONS}
    newest = newest_checkpoint(tree)
    info = artifacts.read_model_info(tree / "model")
    return {
        **{f"report {name}": content for name, content in reports.items()},
        "variables of the SavedModel": (tree / "model" / _VARIABLES).read_bytes(),
        "answers": answers(tree),
        "verified": str(info.extra["verified"]).encode(),
        "state of the last checkpoint": json.dumps(newest.state, sort_keys=True).encode(),
        **{f"checkpoint {name}": content for name, content in arrays(newest).items()},
    }


def different(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> list[str]:
    """Return the names of the parts that do not have the same bytes."""
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def answers(tree: Path) -> bytes:
    """Return the probabilities that the serving code gives all training images, float64."""
    predictor = Predictor.load(tree / "model", False)
    paths = sorted((tree / "input" / "data" / "training").glob("*/*.png"))
    predictions = [predictor.predict([path.read_bytes()])[0].probabilities for path in paths]
    return np.array(predictions).tobytes()


def newest_checkpoint(tree: Path) -> Checkpoint:
    """Return the newest whole checkpoint of whatever job."""
    folders = sorted((tree / "checkpoints").glob("checkpoint-*"))
    job = json.loads((folders[-1] / "state.json").read_text())["job"]
    found = Checkpoints(tree / "checkpoints", job).latest()
    assert found
    return found


def arrays(checkpoint: Checkpoint) -> dict[str, bytes]:
    """Return a checkpoint's arrays."""
    groups = checkpoint.groups.items()
    return {f"{group}/{name}": array.tobytes() for group, found in groups for name, array in found.items()}
