import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.repository.project import ROOT, python_files

LOADER = "container/image_classifier/untrusted_models/loader.py"
LOADERS = {
    "load": {"saved_model", "hub", "tensorflow_hub", "loader", "module_v2", "SavedModel"},
    "load_v2": None,
    "load_partial": None,
    "load_model": None,
    "load_library": None,
    "load_op_library": None,
    "load_file_system_library": None,
    "KerasLayer": None,
    "Module": {"hub", "tensorflow_hub"},
    "resolve": {"hub", "tensorflow_hub"},
    "model_from_json": None,
    "TFSMLayer": None,
    "import_meta_graph": None,
}
"""What loads a model: the name, and of what, None for anything."""
_ANY = re.compile(rf"\b(?:{'|'.join(LOADERS)})\b")


def loads(source: str) -> Iterator[str]:
    """Yield the calls and names of a source text by which a model can be loaded."""
    # Without any of the names there is nothing to find, and most modules need not be parsed.
    if not _ANY.search(source):
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in LOADERS:
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            owners = LOADERS[node.attr]
            if owners is None or owner in owners:
                yield f"{owner}.{node.attr}"
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            of_a_loader = module.startswith(("tensorflow", "tf_keras", "keras"))
            yield from (f"{module}.{name.name}" for name in node.names if of_a_loader and name.name in LOADERS)
        elif isinstance(node, ast.Constant) and node.value in {"load_model", "load_v2", "KerasLayer", "load_partial"}:
            yield f"the name {node.value!r}"


def relative(path: Path) -> str:
    """Return a path from the project's root."""
    return path.relative_to(ROOT).as_posix()


def test_one_module_alone_loads_models() -> None:
    """Given the program -> a SavedModel is loaded only in the module that checks it first."""
    found = {relative(path): sorted(loads(path.read_text(encoding="utf-8"))) for path in python_files("container")}
    assert {name: calls for name, calls in found.items() if calls} == {
        LOADER: ["hub.KerasLayer", "saved_model.load"],
        # TensorFlow's own CUDA libraries, at fixed names.
        "container/image_classifier/training/devices/cuda_libraries.py": ["tf.load_op_library"],
    }


def test_a_load_elsewhere_is_found() -> None:
    """Given the ways to load a model -> the check above finds each."""
    sources = (
        "tf.saved_model.load(x)",
        "tf.compat.v1.saved_model.load(s, [], x)",
        "tf.compat.v1.saved_model.load_v2(x)",
        "tf.compat.v1.saved_model.loader.load(s, [], x)",
        "hub.load(x)",
        "tensorflow_hub.load(x)",
        "hub.KerasLayer(x)",
        "tf_keras.models.load_model(x)",
        "tf.keras.models.load_model(x)",
        "from tf_keras.models import load_model",
        "from tensorflow.saved_model import load as load_it",
        "tf.load_op_library(x)",
        "getattr(tf_keras.models, 'load_model')(x)",
        "load = tf.saved_model.load",
    )
    assert [source for source in sources if not list(loads(source))] == []
