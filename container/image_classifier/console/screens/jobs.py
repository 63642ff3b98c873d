"""The Jobs screen: queue, progress and log of jobs; stop, resume, train further, clone."""

import time
from collections.abc import Iterator

from flask import Blueprint, Response, render_template, request
from werkzeug.wrappers import Response as Redirect

from image_classifier.console import charts, rejection
from image_classifier.console.context import current
from image_classifier.console.events import TooManyStreamsError
from image_classifier.console.links import see
from image_classifier.console.queueing import job_queue, listing, log_window
from image_classifier.console.queueing.job import Job
from image_classifier.resources import memory

blueprint = Blueprint("jobs", __name__)
_METRICS = {"accuracy": True, "loss": False}
"""Curves, and whether their values are shares."""


@blueprint.get("/jobs")
def main() -> str:
    """Show the screen."""
    asked = request.args
    console = current()
    after = console.events.last_id
    found = listing.choose(
        console.queue.jobs(), asked.get("state", listing.ALL), asked.get("search", ""), asked.get("page", 1, int)
    )
    return render_template(
        "jobs/main.html.j2",
        listing=found,
        after=after,
        now=time.time(),
        fault=console.index.fault,
        at_once=console.jobs_at_once,
    )


@blueprint.get("/jobs/<name>")
def one(name: str) -> str:
    """Show a job; `?before=BYTES` shows an earlier part of its log."""
    console = current()
    after = console.events.last_id
    job = _find(name)
    window = log_window.read(console.queue.runner(job), job, request.args.get("before", None, int))
    return render_template(
        "jobs/one.html.j2",
        job=job,
        after=after,
        now=time.time(),
        curves=_curves(job),
        log=window,
        free_memory=memory.available_bytes(),
    )


@blueprint.get("/jobs/<name>/log")
def log(name: str) -> Response:
    """Send the whole log as text."""
    job = _find(name)
    runner = current().queue.runner(job)

    def parts() -> Iterator[str]:
        offset, text = 0, "start"
        while text:
            part = runner.log(job.folder, offset)
            text, offset = part.text, part.offset
            yield text

    return Response(parts(), mimetype="text/plain", headers={"Content-Disposition": f'inline; filename="{name}.log"'})


@blueprint.get("/events", defaults={"name": ""})
@blueprint.get("/jobs/<name>/events")
def events(name: str) -> Response:
    """Stream what changes of one job, or of all, after `Last-Event-ID` or `?after=ID`."""
    after = request.headers.get("Last-Event-ID", type=int) or request.args.get("after", 0, int)
    topics = f"{job_queue.TOPIC}/{name}/" if name else f"{job_queue.TOPIC}/"
    try:
        stream = current().events.stream(topics, after)
    except TooManyStreamsError:
        # Browsers do not try again after this status; the page polls then.
        return Response("Too many pages are open; this one asks again every few seconds.", 503, mimetype="text/plain")
    return Response(stream, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})


@blueprint.post("/jobs/<name>/stop")
def stop(name: str) -> Redirect:
    """Stop a job, with `now` without saving; take one that waits out of the queue."""
    queue = current().queue
    queue.stop(_find(name).name, now="now" in request.form)
    return see("jobs.one", name=name) if queue.find(name) else see("jobs.main")


@blueprint.post("/jobs/<name>/resume")
def resume(name: str) -> Redirect:
    """Put a job that has not finished back into the queue."""
    current().queue.resume(_find(name).name)
    return see("jobs.one", name=name)


@blueprint.post("/jobs/<name>/first")
def first(name: str) -> Redirect:
    """Let a waiting job be the next one."""
    current().queue.move_first(_find(name).name)
    return see("jobs.main")


@blueprint.route("/jobs/<name>/clone", methods=["GET", "POST"])
def clone(name: str) -> Redirect:
    """Lead to the form of a new job with the settings of this one."""
    return see("train.main", clone=_find(name).name)


@blueprint.route("/jobs/<name>/further", methods=["GET", "POST"])
def further(name: str) -> Redirect:
    """Lead to the form of a new job that starts from the model of this one."""
    return see("train.main", further=_find(name).name)


def _find(name: str) -> Job:
    job = current().queue.find(name)
    if job is None:
        raise rejection.not_found(f"Job {name[:80]}", "The Jobs screen lists those that exist.")
    return job


def _curves(job: Job) -> dict[str, str]:
    """Return the curves that have something to show, by metric."""
    found: dict[str, str] = {}
    if len(job.status.epochs) < 2:
        # The head of a recipe, or a first epoch: a curve would add nothing to its figures.
        return found
    for metric, share in _METRICS.items():
        series = {
            label: [(one.number, one.metrics[key]) for one in job.status.epochs if key in one.metrics]
            for label, key in (("training", metric), ("validation", f"val_{metric}"))
        }
        if chart := charts.lines(f"{metric.capitalize()} by epoch", series, share):
            found[metric] = chart
    return found
