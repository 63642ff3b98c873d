"""Build the report page."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image_classifier import pages
from image_classifier.contract import names
from image_classifier.evaluation import charts, judgement, verdict, wording
from image_classifier.evaluation.calibration import LEAST_IMAGES, Calibration
from image_classifier.evaluation.evidence import VALIDATION, Evidence
from image_classifier.evaluation.judgement import Evaluation
from image_classifier.evaluation.report import images, provenance, sections

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER = Path(__file__).parent
_TITLES = {
    "score": "Score",
    "mistakes": "Mistakes",
    "labels": "Labels to check",
    "duplicates": "Leaks and duplicates",
    "slices": "Slices",
    "calibration": "Calibration",
    "unfamiliar": "Unfamiliar images",
    "curves": "Curves",
    "made": "How it was made",
}
"""By anchor, in the order of the page."""
_STYLES = ("tokens.css", "base.css", "rail.css", "sections.css")
_CHARTS = ("reliability", "loss", "accuracy", "learning")
MOST_SKIPPED = 50
WORTHWHILE = 0.01
"""Gain of accuracy by the second half of the training images from which more images are recommended."""


@dataclass(frozen=True)
class Entry:
    """A link to a section."""

    anchor: str
    title: str
    count: int | None = None


def build(evaluation: Evaluation, thumbnails: bool = True, drawn: Mapping[str, str] | None = None) -> str:
    """Return the report as one HTML page; without `thumbnails` it holds no image content.

    `drawn` are the charts of the evaluation, by default drawn here.
    """
    chosen = sections.choose(evaluation)
    shown = images.load(evaluation, chosen.photos(), thumbnails)
    return render(
        "report.html.j2",
        **context(evaluation, chosen, shown, draw(evaluation) if drawn is None else drawn),
        verdict=verdict.conclude(evaluation),
        entries=tuple(_entries(chosen)),
        thumbnails=thumbnails,
    )


def section(anchor: str, shown: Mapping[str, Any]) -> str:
    """Return one section of the page as HTML, by its anchor; `shown` is a `context`."""
    return render(f"sections/{anchor}.html.j2", **shown)


def context(
    evaluation: Evaluation,
    chosen: sections.Sections,
    shown: Any,
    drawn: Mapping[str, str],
    cell_link: Callable[[sections.Cell], str] | None = None,
    all_classes_link: str = "",
) -> dict[str, Any]:
    """Return what the sections show.

    Args:
        evaluation: What they are of.
        chosen: What its sections show, see `sections.choose`.
        shown: Captions and thumbnails by photo, such as `images.Images`.
        drawn: Charts as SVG.
        cell_link: Where a cell of the confusion matrix leads, or the empty string; by default to its images in the
            same page.
        all_classes_link: Where the scores of all classes are, if not behind those of the weakest.
    """
    from markupsafe import Markup

    charts_by_name = dict.fromkeys(_CHARTS, Markup()) | {name: Markup(svg) for name, svg in drawn.items()}
    return {
        "evaluation": evaluation,
        "evidence": evaluation.evidence,
        "sections": chosen,
        "images": shown,
        "made": provenance.describe(evaluation.evidence),
        "charts": charts_by_name,
        "cell_link": cell_link or _within_page,
        "is_one_page": cell_link is None,
        "all_classes_link": all_classes_link,
        "overconfidence": _overconfidence(evaluation.calibration),
        "to_calibrate": _validation_images(evaluation.evidence),
        "least_to_calibrate": LEAST_IMAGES,
        "more_images": _more_images(evaluation.evidence),
        "reasons": evaluation.left_out,
        "left_out": judgement,
        "most_skipped": MOST_SKIPPED,
        "weakest": sections.WEAKEST,
        "most_frequent": sections.MOST_FREQUENT,
        "labels_with_images": sections.LABELS_WITH_IMAGES,
    }


def _within_page(cell: sections.Cell) -> str:
    is_link = cell.count and not cell.is_right and cell.has_images
    return f"#confusion-{cell.label}-{cell.predicted}" if is_link else ""


def render(template: str, **context: Any) -> str:
    """Return a page of this package's templates, in which every value is escaped unless it is `Markup`."""
    return _environment().get_template(template).render(**context)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=lambda share: _unbroken(wording.percent(share)),
        interval=lambda found: _unbroken(wording.interval(found)),
        unbroken=_unbroken,
        path=lambda file: Markup("/<wbr>").join(file.split("/")),
        counted=wording.counted,
        points=wording.points,
        megabytes=wording.megabytes,
        power=wording.power,
        name=names.on_one_line,
        short=wording.shortened,
    )
    own = (_FOLDER / "report.css").read_text(encoding="utf-8")
    environment.globals["style"] = Markup("\n".join([*map(pages.text, _STYLES), own]))
    return environment


def _unbroken(text: str) -> str:
    """Return a text whose percentages do not wrap before their sign."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def _entries(chosen: sections.Sections) -> Iterator[Entry]:
    counts = {
        "mistakes": chosen.mistakes.total,
        "labels": len(chosen.labels.issues) + chosen.labels.further if chosen.labels else None,
        "duplicates": len(chosen.duplicates.groups) + chosen.duplicates.further if chosen.duplicates else None,
        "slices": len(chosen.slices) if chosen.slices is not None else None,
    }
    for anchor, title in _TITLES.items():
        yield Entry(anchor, title, counts.get(anchor))


def draw(evaluation: Evaluation) -> dict[str, str]:
    """Return the charts that the evidence allows as SVG, by name."""
    evidence, found = evaluation.evidence, {}
    if evaluation.calibration and evaluation.calibration.bins:
        found["reliability"] = charts.reliability(evaluation.calibration)
    if len(evidence.history) > 1:
        for metric, share in (("loss", False), ("accuracy", True)):
            if metric in evidence.history[0]:
                found[metric] = charts.by_epoch(evidence.history, metric, evidence.best_epoch, share)
    if len(evidence.learning_curve) > 1:
        found["learning"] = charts.learning(evidence.learning_curve)
    return found


def _validation_images(evidence: Evidence) -> int | None:
    """Return the number of images that a job would fit a temperature on; None if they are not known here."""
    found = evidence.split(VALIDATION)
    return None if found is None else len(found)


def _overconfidence(calibration: Calibration | None) -> float:
    """Return by how much the mean confidence exceeds the accuracy."""
    bins = calibration.bins if calibration else ()
    total = sum(one.accuracy.total for one in bins)
    return sum(one.confidence * one.accuracy.total - one.accuracy.count for one in bins) / total if total else 0.0


def _more_images(evidence: Evidence) -> str | None:
    """Return what the learning curve says about more images of the same kind."""
    if len(evidence.learning_curve) < 2:
        return None
    half, full = evidence.learning_curve[-2:]
    gain = full.accuracy.value - half.accuracy.value
    went = "rose" if gain >= 0 else "fell"
    said = f"From {half.images:,} to {full.images:,} training images the accuracy {went} by {wording.points(gain)}."
    share, total = full.accuracy.value, full.accuracy.total
    error = math.sqrt(share * (1 - share) / total)
    if gain >= max(WORTHWHILE, error):
        return f"{said} More images of the same kind are likely to help."
    if abs(gain) < error:
        return f"{said} Measured on {wording.counted(total, 'image')}, such a difference may be chance."
    return f"{said} More images of the same kind would add little; other kinds, or better labels, may."
