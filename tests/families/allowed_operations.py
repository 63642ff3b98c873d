"""Write the list of operations that SavedModels may contain: `python -m tests.families.allowed_operations`.

It is what models of every family use, pre-trained and as a job of ours leaves them, and `pure_operations`. All small:
blocks repeat, so the operations of a family's first blocks and of its head are those of the whole.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from image_classifier import artifacts, tensorflow_start

tensorflow_start.start()

import tensorflow as tf  # noqa: E402

from image_classifier.artifacts import ModelInfo  # noqa: E402
from image_classifier.untrusted_models import allow_list  # noqa: E402
from tests.families import bit, swin, tf1_module, trial, vision_transformer  # noqa: E402
from tests.families.architectures import ARCHITECTURES  # noqa: E402
from tests.families.pure_operations import PURE  # noqa: E402
from tests.support import builtin_artifact  # noqa: E402
from tests.unit.inference import colours  # noqa: E402

SMALL = (32, 48)


def exported(folder: Path) -> Iterator[Path]:
    """Write models in every layout that this program reads or writes, and yield their SavedModels."""
    yield from map(artifacts.saved_model_folder, _models(folder))
    hub_model = folder / "MobileNet V1 0.25" / artifacts.SAVED_MODEL_DIR
    for binary in (False, True):
        target = folder / f"built-in {binary}"
        builtin_artifact.save(
            target, hub_model, ("blue", "red"), ARCHITECTURES["MobileNet V1 0.25"].small_size, binary=binary
        )
        yield artifacts.saved_model_folder(target)


def _models(folder: Path) -> Iterator[Path]:
    for form in colours.FORMS:
        yield colours.save(folder / form, form)
    for name, family in ARCHITECTURES.items():
        info = ModelInfo(image_size=family.small_size)
        yield trial.stage(folder / name, family.build_small(), info)
    yield trial.stage(folder / "classifier", ARCHITECTURES["MobileNet V2 1.0"].build_small(1000), ModelInfo(), 1000)
    yield from _others(folder)
    done = trial.train(folder / "MobileNet V1 0.25", whole=True, size=ARCHITECTURES["MobileNet V1 0.25"].small_size)
    yield trial.write(done, folder / "job")


def _others(folder: Path) -> Iterator[Path]:
    info = ModelInfo(image_size=SMALL)
    yield trial.stage(folder / "bit", bit.build(repeats=(1, 1), width=8), info)
    yield trial.stage(folder / "swin", swin.build((32, 64), width=16, depths=(2, 1), heads=(2, 4), window=4), info)
    yield trial.stage(folder / "vit", vision_transformer.build(SMALL, patch=16, width=32, heads=2, depth=2), info)
    tf1_module.save(ARCHITECTURES["MobileNet V1 0.25"].build_small(), folder / "tf1" / artifacts.SAVED_MODEL_DIR)
    artifacts.write_model_info(folder / "tf1", info)
    yield folder / "tf1"


def used_by(saved_model: Path) -> set[str]:
    """Return the operations of a SavedModel, without those of its saver and without calls of its functions."""
    found: set[str] = set()
    for meta_graph in tf.__internal__.saved_model.parse_saved_model(str(saved_model)).meta_graphs:
        library = meta_graph.graph_def.library.function
        nodes = [*meta_graph.graph_def.node, *(node for function in library for node in function.node_def)]
        found |= {node.op for node in nodes} - {function.signature.name for function in library}
    return found - allow_list.WRITE_CHECKPOINT - allow_list.READ_CHECKPOINT


def listed(folder: Path) -> str:
    """Return the list's text; models are written to `folder`."""
    used = set[str]().union(*map(used_by, exported(folder)))
    return "".join(f"{name}\n" for name in sorted(used.union(*PURE.values())))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="operations-") as scratch:
        allow_list.FILE.write_text(listed(Path(scratch)), encoding="utf-8")
    print(f"{allow_list.FILE}: {len(allow_list.allowed())} operations", file=sys.stderr)
