"""A small task for a search, quick to judge and hard enough that hyperparameters matter."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from image_classifier.contract import hyperparameters
from image_classifier.training.recipes import search_space, trial
from image_classifier.training.recipes.head_trainer import LabelledFeatures
from image_classifier.training.recipes.trial import Outcome, Score, Task
from image_classifier.training.recipes.trial_store import Trial

SOURCES = hyperparameters.parse({}).sources
NAMES = search_space.searched(hyperparameters.parse({}).values, SOURCES)


def task(classes: int = 3, count: int = 60, seed: int = 0) -> Task:
    """Return features of classes that overlap, judged in five folds."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, count)
    features = (random.normal(size=(count, 8)) + 0.7 * np.eye(8)[labels]).astype(np.float32)
    start = random.normal(0, 0.1, (9, classes)).astype(np.float32)
    folds = trial.stratified_folds(labels, 0)
    return Task(LabelledFeatures(features, labels), folds, np.ones(classes, np.float32), start)


def finished(number: int, accuracies: Sequence[float], state: str = trial.FINISHED, **values: object) -> Trial:
    """Return a trial with the accuracy of each of its epochs, of 100 rows."""
    scores = tuple(Score(accuracy, 0.5, 100) for accuracy in accuracies)
    given = {name: getattr(hyperparameters.parse(values).values, name) for name in NAMES}
    return Trial(number, given, Outcome(scores, state, 0.25))


def untimed(trials: Sequence[Trial]) -> list[Trial]:
    """Return trials without their seconds, which no two runs share."""
    return [dataclasses.replace(one, outcome=dataclasses.replace(one.outcome, seconds=0)) for one in trials]
