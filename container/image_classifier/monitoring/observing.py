"""Captured requests to observations: traits of their images, and what the model answered."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from image_classifier.evaluation import traits
from image_classifier.evaluation.drift.profile import UNKNOWN, Observations
from image_classifier.evaluation.traits import Traits
from image_classifier.monitoring import requests, responses
from image_classifier.monitoring.captures import Captured
from image_classifier.monitoring.responses import NO_ANSWER, Answer
from image_classifier.resources.processors import available_processors

_AT_ONCE = 64
"""Encoded images in memory."""


@dataclass(frozen=True)
class Observed:
    """The observations, and how many requests and images could not be used in full."""

    observations: Observations
    unreadable_requests: int
    """Requests without an image in a known form."""
    undecodable_images: int
    unanswered_images: int
    """Images whose answer was not captured, or is not a class of the model."""


@dataclass
class _Pairs:
    """Images with their answers, in turn; None where requests are not captured."""

    captured: Iterable[Captured]
    class_names: Sequence[str]
    unreadable: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[tuple[bytes | None, Answer]]:
        for one in self.captured:
            if one.request is None:
                yield from ((None, answer) for answer in self._answers(one))
                continue
            try:
                images = requests.images(one.request.body)
            except ValueError:
                self.unreadable += 1
                continue
            answers = self._answers(one)
            yield from zip(images, answers if len(answers) == len(images) else [NO_ANSWER] * len(images), strict=True)

    def _answers(self, one: Captured) -> list[Answer]:
        try:
            return responses.answers(one.response.body, self.class_names) if one.response else []
        except ValueError:
            return []


def observe(captured: Iterable[Captured], class_names: Sequence[str], limit: int) -> Observed:
    """Observe up to `limit` images, decoded on all CPUs."""
    pairs = _Pairs(captured, class_names)
    rest = itertools.islice(pairs, limit)
    seen: list[Traits | None] = []
    undecodable = 0
    given: list[Answer] = []
    with ThreadPoolExecutor(available_processors(), thread_name_prefix="captured") as pool:
        while some := list(itertools.islice(rest, _AT_ONCE)):
            images, answers = zip(*some, strict=True)
            found = list(pool.map(_traits, images))
            undecodable += found.count(None) - images.count(None)
            seen += found
            given += answers
    predicted = np.array([answer.predicted for answer in given], np.int64)
    confidence = np.array([answer.confidence for answer in given], np.float32)
    observations = Observations(seen, predicted, confidence, _embeddings(given))
    return Observed(observations, pairs.unreadable, undecodable, int((predicted == UNKNOWN).sum()))


def _traits(image: bytes | None) -> Traits | None:
    return None if image is None else traits.of_bytes(image)


def _embeddings(given: Sequence[Answer]) -> NDArray[np.float32] | None:
    """Return the embeddings (m, D) of the most frequent width; None without any."""
    found = [answer.embedding for answer in given if answer.embedding is not None]
    if not found:
        return None
    width = Counter(map(len, found)).most_common(1)[0][0]
    return np.stack([embedding for embedding in found if len(embedding) == width])
