"""Drift on real photographs with the features of a real backbone: silent on re-splits, loud on darker images."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from image_classifier.class_folders import channel_listing
from image_classifier.evaluation import traits
from image_classifier.evaluation.drift import baseline
from image_classifier.evaluation.drift.baseline import Baseline
from image_classifier.evaluation.drift.comparison import Comparison, compare
from image_classifier.evaluation.drift.profile import Observations
from image_classifier.evaluation.evidence import TRAINING, VALIDATION, Evidence, Split
from image_classifier.evaluation.traits import Traits
from image_classifier.photographs.sample_sets import PARTS
from tests.support.made_once import made_once
from tests.unit.evaluation import real_features

pytestmark = [pytest.mark.every, pytest.mark.slow, pytest.mark.no_cover]
DARKER = 0.6


@dataclass(frozen=True)
class Photographs:
    """A sample data set, as a job sees it."""

    paths: list[Path]
    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    traits: list[Traits | None]

    def split(self, name: str, rows: NDArray[np.int64], head: Pipeline) -> Split:
        """Return a split with what a head answers."""
        found = head.predict_proba(self.features[rows]).astype(np.float32)
        return Split(name, Path("x"), tuple(map(str, rows)), self.labels[rows], found, self.features[rows])

    def part(self, seed: int) -> tuple[Baseline, NDArray[np.int64], Pipeline]:
        """Return the baseline of 70 % of the images, the rows of the others, and the head of a random split."""
        rows = np.random.default_rng(seed).permutation(len(self.labels))
        training, validation, production = np.split(rows, [len(rows) // 2, len(rows) * 7 // 10])
        head = make_pipeline(PCA(20, svd_solver="full"), LogisticRegression(max_iter=200)).fit(
            self.features[training], self.labels[training]
        )
        names = tuple(f"class {index}" for index in range(int(self.labels.max()) + 1))
        splits = (self.split(VALIDATION, validation, head), self.split(TRAINING, training, head))
        evidence = Evidence(names, splits[0], splits[1:])
        seen = {one.name: [self.traits[int(row)] for row in one.files] for one in splits}
        return baseline.build(evidence, seen), production, head

    def compared(self, seed: int, light: float = 1.0) -> Comparison:
        """Compare a random part of the images, darker if asked for, with the baseline of the others."""
        known, rows, head = self.part(seed)
        found = self.split("production", rows, head)
        assert found.probabilities is not None
        seen = [self.traits[row] if light == 1 else darker(self.paths[row], light) for row in rows]
        observed = Observations(seen, found.predicted, found.probabilities.max(axis=1), found.features)
        return compare(known, observed.profile(known.class_names), observed.embeddings, seed=seed)


def darker(path: Path, light: float) -> Traits | None:
    """Return the traits of an image with its brightness scaled, in its own format."""
    with Image.open(path) as image:
        pixels = (np.asarray(image.convert("RGB")) * light).astype(np.uint8)
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, image.format, quality=90)
    return traits.of_bytes(content.getvalue())


@pytest.fixture(scope="module", params=["stamps", "solar"])
def photographs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Photographs:
    """Stamps of four kinds or solar cells of two, with the features of EfficientNet-Lite0."""
    features, labels = real_features.load(tmp_path_factory, request.param)
    folder = made_once(tmp_path_factory, f"features-of-{request.param}", lambda _: None) / "photographs"
    parts = [channel_listing.list_channel(folder / part, part).examples for part in PARTS]
    paths = [example.path for examples in parts for example in examples]
    return Photographs(paths, features, labels, traits.read(paths))


def test_silent_on_twenty_re_splits(photographs: Photographs) -> None:
    """Given 20 random parts of the photographs, compared with the others -> at most one alarm."""
    alarms = [[check.feature for check in photographs.compared(seed).drifted] for seed in range(20)]
    assert sum(map(bool, alarms)) <= 1, alarms


def test_loud_on_darker_photographs(photographs: Photographs) -> None:
    """Given the same parts at brightness x 0.6 -> brightness and contrast have drifted, each time."""
    for seed in range(3):
        found = {check.feature: check for check in photographs.compared(seed, DARKER).drifted}
        assert {"brightness", "contrast"} <= found.keys()
        assert found["brightness"].effect > 2
