"""What all pages of a result share: how it is opened, title, verdict and tabs, addresses of images."""

from typing import Any

from markupsafe import Markup

from image_classifier.console import context, links, rejection
from image_classifier.console.judging import places, results
from image_classifier.console.judging.gallery import Gallery
from image_classifier.console.judging.results import NoResultError, Result
from image_classifier.evaluation import verdict, wording
from image_classifier.evaluation.report import page, provenance, sections
from image_classifier.evaluation.report.images import Photo

TABS = {
    "overview": "Overview",
    "mistakes": "Mistakes",
    "labels": "Labels",
    "duplicates": "Duplicates",
    "slices": "Slices",
    "calibration": "Calibration",
    "unfamiliar": "Unfamiliar",
    "compare": "Compare",
    "files": "Files",
}
_TAB_OF = {"score": "overview"}
"""Where the verdict's first step leads, by the section that it names."""


def opened(name: str) -> Result:
    """Open the result of a job by its name.

    Raises:
        RejectedError: The job does not exist.
        NoResultError: It has no result that can be opened.
        UserError: Its file is corrupt.
    """
    folder = results.job_folder(context.current().jobs, name)
    if folder is None:
        raise rejection.not_found(f"Job {name}", "Choose a result on the Results page.")
    return results.open_job(folder)


def needed(name: str) -> Result:
    """Open a result as `opened` does; a job without one is rejected.

    Raises:
        RejectedError: The job does not exist, or has no result.
        UserError: Its file is corrupt.
    """
    try:
        return opened(name)
    except NoResultError as reason:
        raise rejection.RejectedError(404, "This job has no result", str(reason), "Look at its page.") from None


def frame(result: Result, tab: str) -> dict[str, Any]:
    """Return what every tab shows: title, verdict, tabs with their counts."""
    evaluation = result.opened.evaluation
    found = verdict.conclude(evaluation)
    return {
        "name": result.job,
        "tab": tab,
        "tabs": [(key, title, _counts(result).get(key)) for key, title in TABS.items()],
        "verdict": found,
        "verdict_tab": _TAB_OF.get(found.section, found.section),
        "tab_titles": TABS,
        "evaluation": evaluation,
        "evidence": evaluation.evidence,
        "made": provenance.describe(evaluation.evidence),
        "is_elsewhere": not places_of(result).folders,
        "is_known": context.current().queue.find(result.job) is not None,
        "wording": wording,
    }


def gallery_of(result: Result) -> Gallery:
    """Return captions and addresses of a result's images."""
    known = places_of(result).folders

    def address(photo: Photo) -> str:
        if photo.split not in known:
            return ""
        marked = {"map": 1} if photo.with_map else {}
        return links.link("result.image", name=result.job, split=photo.split, row=photo.row, v=result.stamp, **marked)

    return Gallery(result.opened.evaluation.evidence, address)


def section_of(result: Result, anchor: str) -> Markup:
    """Return one section of the report."""
    return Markup(page.section(anchor, sections_of(result)))


def sections_of(result: Result, all_classes: bool = False) -> dict[str, Any]:
    """Return what the sections of the report show of a result."""
    evaluation = result.opened.evaluation

    def cell_link(cell: sections.Cell) -> str:
        if not cell.count:
            return ""
        return links.link("result.cell", name=result.job, label=cell.label, answer=cell.predicted)

    further = "" if all_classes else links.link("result.tab", name=result.job, tab="mistakes", classes="all")
    chosen = sections.choose(evaluation)
    return page.context(evaluation, chosen, gallery_of(result), result.opened.charts, cell_link, further)


def places_of(result: Result) -> places.Places:
    """Return where a result's images lie on this machine."""
    return places.of(result.folder, result.opened.evaluation.evidence.splits, context.current().roots)


def _counts(result: Result) -> dict[str, int]:
    evaluation = result.opened.evaluation
    found = {"mistakes": evaluation.score.accuracy.total - evaluation.score.accuracy.count}
    if evaluation.label_issues is not None:
        found["labels"] = len(evaluation.label_issues)
    if evaluation.duplicates is not None:
        found["duplicates"] = len(evaluation.duplicates.groups)
    if evaluation.slices is not None:
        found["slices"] = len(evaluation.slices)
    return found
