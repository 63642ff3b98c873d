"""What each section of the page shows, chosen and bounded; the templates only lay it out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from image_classifier.evaluation.duplicates import Group
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.label_issues import LabelIssue
from image_classifier.evaluation.report.images import Photo, photos
from image_classifier.evaluation.scores import ClassScore
from image_classifier.evaluation.slices import Slice

MATRIX_CLASSES = 20
"""Classes up to which the whole confusion matrix is drawn."""
LEAST_CONFUSIONS, MOST_CONFUSIONS, CONFUSIONS_WITH_IMAGES = 40, 60, 40
"""Rows of the table of confusions: all of several images, but at least and at most so many; and rows with images."""
MOST_FREQUENT = 15
"""Confusions that are listed at once; the others are folded."""
WEAKEST = 20
"""Classes that are listed at once; the table of all is folded beyond."""
LABELS, LABELS_WITH_IMAGES, GROUPS, SLICES = 200, 60, 24, 12
UNCERTAIN = 12
EACH = 8
"""Images of one confusion, group or slice."""


@dataclass(frozen=True)
class Cell:
    """A cell of the confusion matrix."""

    label: int
    predicted: int
    count: int
    share: float
    """Of the images of the class."""
    has_images: bool

    @property
    def is_right(self) -> bool:
        """Whether label and answer agree."""
        return self.label == self.predicted


@dataclass(frozen=True)
class Matrix:
    """The confusion matrix, the most confused classes first."""

    order: tuple[int, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Confused:
    """A row of the table of confusions."""

    cell: Cell
    total: int
    """Images of the class."""
    images: tuple[Photo, ...]

    @property
    def more(self) -> int:
        """Images that are not shown."""
        return self.cell.count - len(self.images)


@dataclass(frozen=True)
class Mistakes:
    """The section of mistakes."""

    total: int
    matrix: Matrix | None
    confusions: tuple[Confused, ...]
    further_confusions: int
    further_images: int
    """Of the further confusions."""
    confidently_wrong: tuple[tuple[Photo, Photo | None], ...]
    """Each image, and the same with its occlusion map."""
    most_uncertain: tuple[Photo, ...]
    classes: tuple[ClassScore, ...]
    """The weakest first."""


@dataclass(frozen=True)
class Labels:
    """The section of labels to check."""

    issues: tuple[tuple[LabelIssue, Photo], ...]
    further: int


@dataclass(frozen=True)
class Duplicates:
    """The section of leaks and duplicates."""

    groups: tuple[tuple[Group, tuple[Photo, ...]], ...]
    further: int
    leaks: int
    contradictions: int


@dataclass(frozen=True)
class Sections:
    """All sections that show images."""

    mistakes: Mistakes
    labels: Labels | None
    duplicates: Duplicates | None
    slices: tuple[tuple[Slice, tuple[Photo, ...]], ...] | None
    unfamiliar: tuple[tuple[float, Photo], ...]
    """The least familiar judged images with their scores."""

    def photos(self) -> Iterator[Photo]:
        """Yield every image, the most important first."""
        for photo, with_map in self.mistakes.confidently_wrong:
            yield from (photo, with_map) if with_map else (photo,)
        yield from (photo for _, photo in (self.labels.issues if self.labels else ())[:LABELS_WITH_IMAGES])
        for _, members in self.duplicates.groups if self.duplicates else ():
            yield from members
        for confused in self.mistakes.confusions:
            yield from confused.images
        yield from self.mistakes.most_uncertain
        for _, members in self.slices or ():
            yield from members
        yield from (photo for _, photo in self.unfamiliar)


def choose(evaluation: Evaluation) -> Sections:
    """Choose what the page shows of an evaluation."""
    return Sections(
        mistakes=_mistakes(evaluation),
        labels=_labels(evaluation.label_issues),
        duplicates=_duplicates(evaluation),
        slices=_slices(evaluation),
        unfamiliar=_unfamiliar(evaluation),
    )


def _mistakes(evaluation: Evaluation) -> Mistakes:
    found, split = evaluation.mistakes, evaluation.evidence.judged.name
    with_images = {(one.label, one.predicted) for one in found.confusions[:CONFUSIONS_WITH_IMAGES]}
    totals = found.matrix.sum(axis=1)

    def cell(label: int, predicted: int) -> Cell:
        count, total = int(found.matrix[label, predicted]), int(totals[label])
        return Cell(label, predicted, count, count / total if total else 0.0, (label, predicted) in with_images)

    several = sum(len(one.rows) > 1 for one in found.confusions)
    listed = min(max(several, LEAST_CONFUSIONS), MOST_CONFUSIONS)
    confusions = tuple(
        Confused(
            cell(one.label, one.predicted),
            int(totals[one.label]),
            photos(split, one.rows, EACH if index < CONFUSIONS_WITH_IMAGES else 0),
        )
        for index, one in enumerate(found.confusions[:listed])
    )
    further = found.confusions[listed:]
    maps = evaluation.occlusion_maps
    return Mistakes(
        total=int(found.matrix.sum() - found.matrix.trace()),
        matrix=_matrix(evaluation, cell) if len(totals) <= MATRIX_CLASSES else None,
        confusions=confusions,
        further_confusions=len(further),
        further_images=sum(len(one.rows) for one in further),
        confidently_wrong=tuple(
            (Photo(split, row), Photo(split, row, with_map=True) if row in maps else None)
            for row in found.confidently_wrong
        ),
        most_uncertain=photos(split, found.most_uncertain, UNCERTAIN),
        classes=tuple(sorted(evaluation.score.classes, key=_weakness)),
    )


def _matrix(evaluation: Evaluation, cell: Callable[[int, int], Cell]) -> Matrix:
    matrix = evaluation.mistakes.matrix
    mistakes = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * matrix.diagonal()
    order = tuple(int(index) for index in (-mistakes).argsort(kind="stable"))
    return Matrix(order, tuple(tuple(cell(label, predicted) for predicted in order) for label in order))


def _weakness(one: ClassScore) -> tuple[float, int]:
    return (one.recall.value if one.recall.total else 2.0, -one.recall.total)


def _labels(issues: Sequence[LabelIssue] | None) -> Labels | None:
    if issues is None:
        return None
    return Labels(
        tuple((issue, Photo(issue.split, issue.row)) for issue in issues[:LABELS]), max(len(issues) - LABELS, 0)
    )


def _duplicates(evaluation: Evaluation) -> Duplicates | None:
    found = evaluation.duplicates
    if found is None:
        return None
    return Duplicates(
        groups=tuple(
            (group, tuple(Photo(one.split, one.row) for one in group.members[:EACH])) for group in found.groups[:GROUPS]
        ),
        further=max(len(found.groups) - GROUPS, 0),
        leaks=sum(group.is_leak for group in found.groups),
        contradictions=sum(group.contradicts for group in found.groups),
    )


def _slices(evaluation: Evaluation) -> tuple[tuple[Slice, tuple[Photo, ...]], ...] | None:
    if evaluation.slices is None:
        return None
    judged = evaluation.evidence.judged
    wrong = judged.predicted != judged.labels
    return tuple(
        (one, photos(judged.name, sorted(one.rows, key=lambda row: not wrong[row]), EACH))
        for one in evaluation.slices[:SLICES]
    )


def _unfamiliar(evaluation: Evaluation) -> tuple[tuple[float, Photo], ...]:
    scores = evaluation.familiarity
    if scores is None:
        return ()
    name = evaluation.evidence.judged.name
    return tuple((float(scores[row]), Photo(name, int(row))) for row in scores.argsort(kind="stable")[:12])
