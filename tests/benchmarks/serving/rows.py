"""The compared servers: ours, the bare engine, and six usual servers, each with its best settings.

All answer the same JSON, the 1000 probabilities of an image that comes as a raw JPEG body, and compute in float32.

* LitServe: `max_batch_size`, `batch_timeout`, the fast queue and the thread pool that decodes a batch are those of
  LitServe's own benchmark of an image classifier on a CPU. The body comes as bytes, which spares it base64. One worker,
  since each starts threads for all CPUs; `LITSERVE_WORKERS=2` tries two.
* Flask + TensorFlow: a synchronous process a CPU, as in the platform's sample of an own container. One process with 8
  threads was slower.
* Flask + OpenVINO: one process with 8 threads. OpenVINO pins its threads, those of two processes to the same CPUs. Once
  with its default, the latency hint, and once with its throughput hint.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from image_classifier import PROGRAM
from image_classifier.contract.opt_ml import BASE_DIR_VARIABLE
from image_classifier.resources.processors import available_processors
from tests.benchmarks.serving.places import Places

PEERS = Path(__file__).with_name("peers")
PROCESSES = ("--workers", str(available_processors()))
THREADS = ("--workers", "1", "--threads", "8")
_ALWAYS = ("--timeout", "120", "--no-control-socket", "--chdir", str(PEERS))


@dataclass(frozen=True)
class Row:
    """One server, or the bare engine."""

    name: str
    title: str
    module: str = ""
    """Of a peer, in `peers`."""
    gunicorn: tuple[str, ...] = ()
    """Options of gunicorn, if that runs it; else it is a program."""
    hint: str = ""
    """OpenVINO's performance hint, where a peer leaves the choice."""
    large: bool = False
    """Whether it is measured with images of 12 megapixels too."""

    @property
    def place(self) -> int:
        """Where it stands in the tables."""
        return ROWS.index(self)


OURS = Row("ours", "ours", large=True)
BARE = Row("bare", "bare engine with decoding, no HTTP", large=True)
LITSERVE_TENSORFLOW = Row("litserve-tensorflow", "LitServe, TensorFlow function", "litserve_tensorflow")
LITSERVE_OPENVINO = Row("litserve-openvino", "LitServe, OpenVINO's latency hint", "litserve_openvino")
FLASK_KERAS = Row("flask-keras", "Flask + gunicorn, Keras predict", "flask_keras_predict", PROCESSES)
FLASK_FUNCTION = Row("flask-function", "Flask + gunicorn, TensorFlow function", "flask_tensorflow_function", PROCESSES)
FLASK_OPENVINO = Row("flask-openvino", "Flask + gunicorn, OpenVINO without care", "flask_openvino", THREADS, large=True)
FLASK_THROUGHPUT = Row(
    "flask-throughput", "Flask + gunicorn, OpenVINO's throughput hint", "flask_openvino", THREADS, "THROUGHPUT"
)
ROWS = (
    OURS,
    BARE,
    LITSERVE_TENSORFLOW,
    LITSERVE_OPENVINO,
    FLASK_KERAS,
    FLASK_FUNCTION,
    FLASK_OPENVINO,
    FLASK_THROUGHPUT,
)


def command(row: Row, places: Places, port: int) -> list[str]:
    """Return the command that serves a row on a port; the bare engine has none."""
    if row is OURS:
        return [str(places.slim_python), str(PROGRAM / "serve")]
    if row.gunicorn:
        options = (*row.gunicorn, *_ALWAYS, "--bind", f"127.0.0.1:{port}")
        return [str(places.peers_python), "-m", "gunicorn", *options, f"{row.module}:app"]
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
        **({"PERFORMANCE_HINT": row.hint} if row.hint else {}),
    }
