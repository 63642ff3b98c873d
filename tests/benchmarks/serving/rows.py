"""What is compared: ours, the bare engine, and five servers as people write them, each with its best usual settings.

All answer the same JSON, the 1000 probabilities of a picture that comes as a raw JPEG body, and compute in float32.

* LitServe: `max_batch_size`, `batch_timeout` and the thread pool that decodes a batch are those of LitServe's own
  benchmark of an image classifier on a CPU, and so is its fast queue. The body comes as bytes, which spares it base64.
* gunicorn in front of Flask: one process with 8 threads, as the usual guides for models in containers have it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from image_classifier import PROGRAM
from image_classifier.contract.opt_ml import BASE_DIR_VARIABLE
from tests.benchmarks.serving.places import Places

PEERS = Path(__file__).with_name("peers")
GUNICORN = ("-m", "gunicorn", "--workers", "1", "--threads", "8", "--timeout", "120", "--chdir", str(PEERS))


@dataclass(frozen=True)
class Row:
    """One server, or the bare engine."""

    name: str
    title: str
    module: str = ""
    """Of a peer, in `peers`."""
    gunicorn: bool = True
    """Whether gunicorn runs it; else it is a program."""
    large: bool = False
    """Whether it is measured with pictures of 12 megapixels too."""

    @property
    def place(self) -> int:
        """Where it stands in the tables."""
        return ROWS.index(self)


OURS = Row("ours", "ours", large=True)
BARE = Row("bare", "bare engine with decoding, no HTTP, one thread a core (alone: one thread)", large=True)
LITSERVE_TENSORFLOW = Row("litserve-tensorflow", "LitServe, TensorFlow function", "litserve_tensorflow", gunicorn=False)
LITSERVE_OPENVINO = Row("litserve-openvino", "LitServe, OpenVINO's latency hint", "litserve_openvino", gunicorn=False)
FLASK_KERAS = Row("flask-keras", "Flask + gunicorn, Keras predict", "flask_keras_predict")
FLASK_FUNCTION = Row("flask-function", "Flask + gunicorn, TensorFlow function", "flask_tensorflow_function")
FLASK_OPENVINO = Row("flask-openvino", "Flask + gunicorn, OpenVINO without care", "flask_openvino", large=True)
ROWS = (OURS, BARE, LITSERVE_TENSORFLOW, LITSERVE_OPENVINO, FLASK_KERAS, FLASK_FUNCTION, FLASK_OPENVINO)


def command(row: Row, places: Places, port: int) -> list[str]:
    """Return the command that serves a row on a port; the bare engine has none."""
    if row is OURS:
        return [str(places.slim_python), str(PROGRAM / "serve")]
    if row.gunicorn:
        return [str(places.peers_python), *GUNICORN, "--bind", f"127.0.0.1:{port}", f"{row.module}:app"]
    return [str(places.peers_python), str(PEERS / f"{row.module}.py")]


def environment(row: Row, places: Places, port: int) -> Mapping[str, str]:
    """Return what a row's process finds in its environment beside this one's."""
    if row is OURS:
        return {BASE_DIR_VARIABLE: str(places.tree), "SAGEMAKER_BIND_TO_PORT": str(port), "SERVE_HOST": "127.0.0.1"}
    return {
        "MODEL_FOLDER": str(places.model),
        "PORT": str(port),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": "",
    }
