"""The tab of labels to check: decide, undo, measure what the corrections change, and train again."""

import atexit
from typing import Any

from flask import render_template, request
from werkzeug.wrappers import Response

from image_classifier.console import context, links
from image_classifier.console.datasets import labels
from image_classifier.console.judging import again, decisions, refits
from image_classifier.console.judging.decisions import Decision, Labelling
from image_classifier.console.judging.refits import Measured, Refitter
from image_classifier.console.judging.results import Result
from image_classifier.console.screens import result_frame
from image_classifier.contract.errors import ExplainedError, UserError
from image_classifier.evaluation.report.images import Photo

_refitter = Refitter()
atexit.register(_refitter.close)


def decide(name: str) -> Response | tuple[str, int]:
    """Decide one label and lead to the next one."""
    result = result_frame.needed(name)
    found, at = _labelling(result), request.form.get("at", -1, type=int)
    try:
        decision = Decision(request.form.get("decision", ""))
        to = _class_of(found, at, decision)
        decisions.decide(context.current().home, found, at, decision, to, _based_on())
    except ValueError:
        return show(result, "Choose what becomes of the label: move, drop or keep."), 400
    except UserError as error:
        return show(result, str(error)), 409
    after = _labelling(result).next_open(at + 1)
    return links.see("result.tab", name=name, tab="labels", at=at if after is None else after)


def undo(name: str) -> Response | tuple[str, int]:
    """Take back the last change of labels."""
    result = result_frame.needed(name)
    found = _labelling(result)
    try:
        if found.data_set is None:
            raise UserError("Nothing to undo.")
        labels.undo(context.current().home, found.data_set.key, _based_on())
    except UserError as error:
        return show(result, str(error)), 409
    return links.see("result.tab", name=name, tab="labels", at=request.form.get("at", 0, type=int))


def remember(name: str) -> Response | tuple[str, int]:
    """Make the job's folders a data set, whose labels can be decided."""
    result = result_frame.needed(name)
    try:
        decisions.remember(context.current().home, result.folder)
    except UserError as error:
        return show(result, str(error)), 409
    return links.see("result.tab", name=name, tab="labels")


def prepare(name: str) -> tuple[str, int]:
    """Get ready to measure corrections, so that the first ones take as long as the next; not beside a running job."""
    result = result_frame.needed(name)
    if result.opened.has_features and not any(job.is_live for job in context.current().queue.jobs()):
        _refitter.prepare(result)
    return "", 204


def measure(name: str) -> Response | tuple[str, int]:
    """Fit the head on the corrected labels and compare it."""
    result = result_frame.needed(name)
    found = _labelling(result)
    try:
        refit = _refitter.measure(result, found.corrections)
    except ExplainedError as error:
        return show(result, str(error)), 409
    refits.save(context.current().cache, name, Measured(result.stamp, found.overlay.revision, refit))
    return links.see("result.tab", name=name, tab="labels", _anchor="measured")


def train_again(name: str) -> Response | tuple[str, int]:
    """Put the same experiment on the corrected labels into the queue."""
    console, result = context.current(), result_frame.needed(name)
    try:
        asked = again.asked_again(console.home, result.folder, _labelling(result).data_set, console.queue.free_name)
        queued = console.queue.add(asked)
    except ExplainedError as error:
        return show(result, str(error)), 409
    return links.see("jobs.one", name=queued.name)


def show(result: Result, problem: str = "") -> str:
    """Show the tab; `problem` is what became of the last form."""
    found = _labelling(result)
    at = request.values.get("at", type=int)
    if at is None or not 0 <= at < len(found.items):
        at = found.next_open(0) or 0
    measured = refits.load(context.current().cache, result)
    item = found.items[at] if found.items else None
    return render_template(
        "result/labels.html.j2",
        **result_frame.frame(result, "labels"),
        labelling=found,
        at=at,
        item=item,
        photo=Photo(item.issue.split, item.issue.row) if item else None,
        gallery=result_frame.gallery_of(result),
        measured=measured,
        **_of_refit(result, measured),
        has_features=result.opened.has_features,
        problem=problem,
        section=result_frame.section_of(result, "labels"),
    )


def _of_refit(result: Result, measured: Measured | None) -> dict[str, Any]:
    """Return the images that a refit is about."""
    judged = result.opened.evaluation.evidence.judged.name
    rows = {"better": measured.refit.better, "worse": measured.refit.worse} if measured else {}
    return {"changed_photos": {kind: [Photo(judged, row) for row in found] for kind, found in rows.items()}}


def _labelling(result: Result) -> Labelling:
    evaluation = result.opened.evaluation
    return decisions.labelling(
        context.current().home, result.folder, evaluation.evidence, evaluation.label_issues or ()
    )


def _class_of(found: Labelling, at: int, decision: Decision) -> str:
    """Return the class of a form: the chosen one of a move, and of a label that is kept its own."""
    if not 0 <= at < len(found.items):
        return ""
    issue, names = found.items[at].issue, found.corrections.class_names
    if decision is Decision.KEEP:
        return names[issue.given]
    return request.form.get("to") or names[issue.suggested]


def _based_on() -> int:
    return request.form.get("revision", -1, type=int)
