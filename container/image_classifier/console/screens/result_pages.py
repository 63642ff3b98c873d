"""The pages of a result: the report of a job in tabs, images, comparison, files."""

from collections.abc import Mapping
from typing import Any

from flask import Response, abort, make_response, render_template, request, send_file
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from image_classifier.console import context, links
from image_classifier.console.judging import cells, comparison, images, result_files, results, thresholds
from image_classifier.console.judging.results import NoResultError, Result
from image_classifier.console.judging.thresholds import Costs
from image_classifier.console.screens import result_frame, result_labels
from image_classifier.contract.errors import UserError
from image_classifier.evaluation.report import page
from image_classifier.evaluation.report.images import Photo

_SECTIONS = {"overview": ("score", "curves", "made")}
"""Sections of the report on a tab; the others have the one of their name."""
_WEEK = "private, max-age=604800, immutable"
_COMPARED = 24
"""Images in each gallery of a comparison."""


def main() -> str:
    """Show the results of all jobs, the latest first."""
    return render_template("result/main.html.j2", results=results.every(context.current().jobs))


def overview(name: str) -> AnyResponse:
    """Lead to the first tab."""
    return links.see("result.tab", name=name, tab="overview")


def tab(name: str, tab: str) -> str | tuple[str, int]:
    """Show a tab."""
    if tab not in result_frame.TABS:
        abort(404)
    try:
        result = result_frame.opened(name)
    except NoResultError as reason:
        folder = results.job_folder(context.current().jobs, name)
        found = result_files.listed(folder) if folder else ()
        return render_template("result/none.html.j2", name=name, reason=str(reason), files=found)
    if tab == "labels":
        return result_labels.show(result)
    own: Mapping[str, Any] = _OWN[tab](result) if tab in _OWN else {}
    anchors = _SECTIONS.get(tab, (tab,) if tab not in ("compare", "files") else ())
    shown = result_frame.sections_of(result, all_classes="classes" in request.args)
    fragments = [(anchor, Markup(page.section(anchor, shown))) for anchor in anchors]
    return render_template(f"result/{tab}.html.j2", **result_frame.frame(result, tab), fragments=fragments, **own)


def cell(name: str) -> str:
    """Show the images of one cell of the confusion matrix."""
    result = result_frame.needed(name)
    label, answer = (_index(result, key) for key in ("label", "answer"))
    evaluation = result.opened.evaluation
    shown = cells.part(cells.images(evaluation, label, answer), _page(), cells.IMAGES)
    judged = evaluation.evidence.judged.name
    return render_template(
        "result/cell.html.j2",
        **result_frame.frame(result, "mistakes"),
        label=label,
        answer=answer,
        part=shown,
        gallery=result_frame.gallery_of(result),
        photos=[Photo(judged, row) for row in shown.rows],
        total=int(evaluation.mistakes.matrix[label].sum()),
    )


def matrix(name: str) -> str:
    """Show the whole confusion matrix, some classes at a time."""
    result = result_frame.needed(name)
    evaluation = result.opened.evaluation
    classes = tuple(range(len(evaluation.evidence.class_names)))
    shown = cells.part(classes, _page(), cells.ROWS)
    rows = cells.matrix(evaluation, shown.rows)
    return render_template("result/matrix.html.j2", **result_frame.frame(result, "mistakes"), part=shown, rows=rows)


def image(name: str, split: str, row: int) -> Response:
    """Return a reduced image, with its occlusion map if `map` is given."""
    result = result_frame.needed(name)
    evaluation = result.opened.evaluation
    found = evaluation.evidence.split(split)
    if found is None or not 0 <= row < len(found):
        abort(404)
    overlay = evaluation.occlusion_maps.get(row) if "map" in request.args else None
    path = result_frame.places_of(result).find(found, row)
    side = images.LARGE if request.args.get("size") == "large" else images.SMALL
    content = images.reduced(path, side, overlay) if path else None
    if content is None:
        abort(404)
    response = make_response(content)
    response.mimetype = "image/webp"
    response.headers["Cache-Control"] = _WEEK
    return response


def file(name: str, path: str) -> Response:
    """Send one of the job's files as a download."""
    folder = results.job_folder(context.current().jobs, name)
    found = result_files.find(folder, path) if folder else None
    if found is None:
        abort(404)
    return send_file(found, as_attachment=True, download_name=f"{name}-{found.name}")


def _thresholds(result: Result) -> dict[str, Any]:
    curve = thresholds.curve(result.opened.evaluation.evidence.judged)
    given = request.args
    costs = Costs(
        thresholds.number(given.get("error"), Costs.error, thresholds.MOST_COST),
        thresholds.number(given.get("check"), Costs.check, thresholds.MOST_COST),
    )
    chosen = thresholds.choice(curve, thresholds.number(given.get("threshold"), thresholds.USUAL, 1.0), costs)
    best = thresholds.cheapest(curve, costs)
    return {"curve": curve, "costs": costs, "chosen": chosen, "best": best, "most_cost": thresholds.MOST_COST}


def _compared(result: Result) -> dict[str, Any]:
    others = [one for one in results.every(context.current().jobs) if one.can_open and one.name != result.job]
    other = request.args.get("with", "")
    shown: dict[str, Any] = {"others": others, "other": other, "found": None, "problem": ""}
    if not other:
        return shown
    try:
        first = result_frame.opened(other)
        found = comparison.compare(first.opened.evaluation.evidence, result.opened.evaluation.evidence)
    except (UserError, NoResultError) as error:
        return {**shown, "problem": str(error)}
    captions = result_frame.gallery_of(first)
    split, split_first = result.opened.evaluation.evidence.judged.name, first.opened.evaluation.evidence.judged.name
    galleries = {
        kind: [(Photo(split, own), captions.caption(Photo(split_first, theirs))) for theirs, own in rows[:_COMPARED]]
        for kind, rows in (("better", found.better), ("worse", found.worse))
    }
    return {
        **shown,
        "found": found,
        "galleries": galleries,
        "gallery": result_frame.gallery_of(result),
        "most": _COMPARED,
    }


def _files(result: Result) -> dict[str, Any]:
    return {"files": result_files.listed(result.folder), "folder": result.folder}


_OWN = {"calibration": _thresholds, "compare": _compared, "files": _files}


def _index(result: Result, key: str) -> int:
    index = request.args.get(key, type=int)
    if index is None or not 0 <= index < len(result.opened.evaluation.evidence.class_names):
        abort(404)
    return index


def _page() -> int:
    return request.args.get("page", 1, type=int)
