"""Wrong labels found among photographs, and what cleanlab alone finds with the same probabilities.

    scripts/benchmark label_issues [--data stamps solar] [--share 0.05] [--draws N]

A share of the labels is flipped at random, and all images are predicted by the cross-validation that a job's report
uses, on features of EfficientNet-Lite0. Precision: the share of the listed images whose label was flipped; recall: the
share of the flipped ones that are listed; both over all draws. "At best" is the largest precision at a recall of 0.7
that any bound of the label quality gives, so it tells what the probabilities allow. Exits with 1 if the report's list
of a data set misses precision 0.8 or recall 0.7.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from numpy.typing import NDArray

from image_classifier.evaluation import label_issues
from tests.support.planted_labels import Planted, plant
from tests.unit.evaluation import real_features

PRECISION, RECALL = 0.8, 0.7
Marked = list[NDArray[np.bool_]]
"""For each draw (n,): whether an image is listed."""


def listed(draw: Planted) -> NDArray[np.bool_]:
    """Return what the report lists."""
    found = np.zeros(len(draw.split), bool)
    found[[issue.row for issue in label_issues.find([draw.split])]] = True
    return found


def of_cleanlab(draw: Planted) -> NDArray[np.bool_]:
    """Return what cleanlab lists by its defaults."""
    return np.asarray(find_label_issues(draw.split.labels, _probabilities(draw), n_jobs=1))


def flipped(draw: Planted) -> NDArray[np.bool_]:
    """Return what was planted."""
    return np.isin(np.arange(len(draw.split)), list(draw.flipped))


def precision_and_recall(found: Marked, planted: Marked) -> tuple[float, float]:
    """Return both over all draws."""
    marks, truth = np.concatenate(found), np.concatenate(planted)
    hits = int((marks & truth).sum())
    return hits / max(int(marks.sum()), 1), hits / max(int(truth.sum()), 1)


def best_precision(draws: Sequence[Planted], planted: Marked) -> float:
    """Return the largest precision at a recall of at least `RECALL`, by a bound of cleanlab's label quality."""
    quality = np.concatenate(
        [
            get_label_quality_scores(draw.split.labels, _probabilities(draw), method="normalized_margin")
            for draw in draws
        ]
    )
    truth = np.concatenate(planted)[np.argsort(quality, kind="stable")]
    hits = truth.cumsum()
    enough = hits >= RECALL * truth.sum()
    return float((hits / np.arange(1, len(truth) + 1))[enough].max())


def _quality(draw: Planted) -> NDArray[np.float64]:
    return np.asarray(get_label_quality_scores(draw.split.labels, _probabilities(draw), method="normalized_margin"))


def _probabilities(draw: Planted) -> NDArray[np.float64]:
    return np.asarray(draw.split.probabilities, np.float64).clip(0, 1)


def main(words: Sequence[str] | None = None) -> int:
    """Measure every data set and print the table."""
    parser = argparse.ArgumentParser(
        prog="scripts/benchmark label_issues",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", nargs="+", choices=("stamps", "solar"), default=("stamps", "solar"))
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--draws", type=int, default=10)
    given = parser.parse_args(words)
    missed = False
    print("| data | images | accuracy of heads | report: precision | recall | cleanlab: precision | recall | at best |")
    print("|---|---|---|---|---|---|---|---|")
    for sample in given.data:
        with tempfile.TemporaryDirectory(prefix="label-issues-") as folder:
            real_features.compute(sample, Path(folder))
            with np.load(Path(folder) / "features.npz") as stored:
                features, labels = stored["features"], stored["labels"]
        draws = [plant(features, labels, given.share, seed) for seed in range(given.draws)]
        planted = [flipped(draw) for draw in draws]
        accuracy = np.mean([(draw.split.predicted == draw.true).mean() for draw in draws])
        ours = precision_and_recall([listed(draw) for draw in draws], planted)
        theirs = precision_and_recall([of_cleanlab(draw) for draw in draws], planted)
        print(
            f"| {sample} | {len(labels):,} | {accuracy:.3f} | {ours[0]:.2f} | {ours[1]:.2f} | {theirs[0]:.2f} "
            f"| {theirs[1]:.2f} | {best_precision(draws, planted):.2f} |",
            flush=True,
        )
        missed |= ours[0] < PRECISION or ours[1] < RECALL
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
