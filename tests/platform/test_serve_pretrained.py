"""A pre-trained classifier: ImageNet's names for real photographs, over HTTP."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from image_classifier import archives, artifacts
from image_classifier.model_hub import pretrained_classifier
from tests.platform.serving import ROOT, Server
from tests.support import named_photographs

pytestmark = [pytest.mark.slow, pytest.mark.no_cover]


@pytest.fixture(scope="module")
def lite0(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model folder of EfficientNet-Lite0, staged with its ImageNet head and served without TensorFlow."""
    scratch = tmp_path_factory.mktemp("pretrained")
    stage = [str(ROOT / "scripts" / "stage-backbone"), "lite0", "--with-head", "--output", str(scratch / "a.tar.gz")]
    subprocess.run(stage, check=True, capture_output=True)
    folder = archives.materialise(scratch / "a.tar.gz", scratch / "model")
    if not (folder / artifacts.OPENVINO_DIR).is_dir():
        assert pretrained_classifier.add_ir(folder)
    return folder


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """The dozen, by file name."""
    return named_photographs.read(tmp_path_factory.mktemp("photographs"))


@pytest.mark.every
@pytest.mark.parametrize("engine", ["openvino", "tensorflow"])
def test_photographs_get_their_names(
    lite0: Path, photographs: Mapping[str, bytes], engine: str, tmp_path: Path, start: Callable[..., Server]
) -> None:
    """Given a dozen photographs and either engine -> each has its subject among the best five; espresso comes first."""
    (tmp_path / "model").symlink_to(lite0)
    server = start(tmp_path, SERVE_ENGINE=engine)
    server.wait_until_ready()
    best = {}
    for name, image in photographs.items():
        answer = server.classify(image, Accept="application/json;verbose;n_predictions=5").json
        best[name] = [label.split(",")[0] for label in answer["labels"]]
        assert len(answer["probabilities"]) == 5
    missed = {name: said for name, said in best.items() if not named_photographs.EXPECTED[name] & set(said)}
    assert not missed
    assert best["coffee.png"][0] == "espresso"


@pytest.mark.every
def test_whole_answer_is_a_distribution_over_names(lite0: Path, tmp_path: Path, start: Callable[..., Server]) -> None:
    """Given a head that answers logits -> 1,000 probabilities that add up to 1, each with a name, and the best one."""
    (tmp_path / "model").symlink_to(lite0)
    server = start(tmp_path)
    server.wait_until_ready()
    image = named_photographs.of_wheel("coffee.png")
    answer = server.classify(image, Accept="application/json;verbose").json
    assert len(answer["labels"]) == len(answer["probabilities"]) == 1000
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-4)
    assert answer["predicted_label"].startswith("espresso")
    best = server.classify(image, Accept="application/json;verbose;n_predictions=3").json
    assert best["labels"][0] == best["predicted_label"] == answer["predicted_label"]
    assert best["probabilities"] == sorted(answer["probabilities"], reverse=True)[:3]


_MAKE_HEADS = """
import sys
from pathlib import Path
from image_classifier import artifacts, tensorflow_start

tensorflow_start.start()
import tf_keras
from image_classifier.model_hub.converters import reusable_saved_model

for outputs in map(int, sys.argv[2:]):
    inputs = tf_keras.Input((32, 40, 3))
    pooled = tf_keras.layers.GlobalAveragePooling2D()(inputs)
    bias = tf_keras.initializers.Constant([float(index == 1) * 9 for index in range(outputs)])
    network = tf_keras.Model(inputs, tf_keras.layers.Dense(outputs, bias_initializer=bias)(pooled))
    folder = Path(sys.argv[1]) / str(outputs)
    reusable_saved_model.save(network, folder / artifacts.SAVED_MODEL_DIR)
    artifacts.write_model_info(folder, artifacts.ModelInfo(image_size=(32, 40), output="logits"))
"""
_ADD_LABELS = """
from image_classifier.model_hub import pretrained_classifier
for outputs in sys.argv[2:]:
    pretrained_classifier.add_labels(Path(sys.argv[1]) / outputs)
    assert pretrained_classifier.add_ir(Path(sys.argv[1]) / outputs)
"""
FIRST_NAMES = {1000: "goldfish", 1001: "tench", 21841: "benthos", 21843: "benthos"}
"""Of the second output, by how many there are."""


def make(folder: Path, *outputs: int, then: str = "") -> subprocess.CompletedProcess[str]:
    """Save classifiers without labels whose second output is the largest, in folders of their sizes, and do `then`."""
    command = [sys.executable, "-c", f"{_MAKE_HEADS}\n{then}", str(folder), *map(str, outputs)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "container")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Classifiers of all sizes whose names are known, with those names and an OpenVINO IR."""
    folder = tmp_path_factory.mktemp("heads")
    make(folder, *FIRST_NAMES, then=_ADD_LABELS).check_returncode()
    return folder


@pytest.mark.every
@pytest.mark.parametrize("outputs", FIRST_NAMES)
def test_heads_of_four_sizes_get_imagenets_names(
    outputs: int, heads: Path, tmp_path: Path, start: Callable[..., Server]
) -> None:
    """Given a head without labels -> names by its size: 1,000, 1,001 with background before them, ImageNet-21k's."""
    (tmp_path / "model").symlink_to(heads / str(outputs))
    labels = artifacts.read_labels(tmp_path / "model")
    assert len(labels) == outputs
    assert (labels[0] == "background") is (outputs == 1001)
    server = start(tmp_path, SERVE_ENGINE="openvino")
    server.wait_until_ready()
    image = named_photographs.of_wheel("coffee.png")
    answer = server.classify(image, Accept="application/json;verbose;n_predictions=1").json
    assert answer["predicted_label"].split(",")[0] == FIRST_NAMES[outputs]


@pytest.mark.every
def test_head_of_another_size_needs_its_own_label_file(tmp_path: Path) -> None:
    """Given a head of seven classes without labels -> one sentence: its number, the known ones, the file."""
    done = make(tmp_path, 7, then=_ADD_LABELS)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode != 0
    assert "its outputs are 7, and ImageNet's names are known for 1000, 1001, 21841, 21843." in last
    assert artifacts.LABELS_FILE in last
    assert not (tmp_path / "7" / artifacts.LABELS_FILE).exists()
