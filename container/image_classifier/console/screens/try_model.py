"""The Try screen of a job: its page, and what the page asks, which are answered by servers and child processes."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from flask import Blueprint, Response, current_app, render_template, request, send_from_directory, url_for

from image_classifier.console import links
from image_classifier.console.context import current
from image_classifier.console.queueing.job import Job
from image_classifier.console.rejection import not_found
from image_classifier.console.trying import corrections, label_edits, proxy, trials
from image_classifier.console.trying.evidence import Evidence
from image_classifier.contract.errors import ExplainedError, PlatformError, UserError
from image_classifier.evaluation.wording import counted
from image_classifier.imaging import sniff
from image_classifier.pages import try_page
from image_classifier.pages.try_page import TryPage
from image_classifier.runners.endpoints import servers
from image_classifier.runners.endpoints.record import Endpoint, State

EVIDENCE = "image_classifier.console.trying"
"""Of the `Evidence` in an application's `extensions`."""
_EMBEDDING = "application/json;embedding"
_ENDPOINT = "via"
"""Parameter that names an endpoint, instead of the job's trial server."""


def add_to(blueprint: Blueprint) -> None:
    """Add the routes of the Try screen to a blueprint, whose templates include those of `pages.try_page`."""
    blueprint.record_once(lambda state: state.app.extensions.setdefault(EVIDENCE, Evidence()))
    blueprint.add_url_rule("/try-page/<name>", "asset", _asset)
    blueprint.add_url_rule("/jobs/<name>/try", "page", _page)
    for path, function, method in (
        ("facts", _facts, "GET"),
        ("start", _start, "POST"),
        ("invocations", _invocations, "POST"),
        ("neighbours", _neighbours, "POST"),
        ("corrections", _correct, "POST"),
    ):
        blueprint.add_url_rule(f"/jobs/<name>/try/{path}", path, _as_json(function), methods=[method])
    blueprint.add_url_rule("/jobs/<name>/try/images/<split>/<int:row>", "image", _image)


def _asset(name: str) -> Response:
    return send_from_directory(try_page.STATIC, name)


def _page(name: str) -> str:
    job, endpoint = _job(name), _named_endpoint()
    given = {"name": name, **({_ENDPOINT: endpoint.name} if endpoint else {})}
    page = TryPage(
        facts=links.link("try_deploy.facts", **given),
        invocations=links.link("try_deploy.invocations", **given),
        neighbours=links.link("try_deploy.neighbours", **given),
        corrections=links.link("try_deploy.corrections", **given),
        start=None if endpoint else links.link("try_deploy.start", **given),
        server=endpoint.address if endpoint else None,
    )
    return render_template(
        "try_deploy/try.html.j2",
        job=job,
        endpoint=endpoint,
        try_page=page,
        corrected=corrections.count(current().home, job.name),
        corrections=corrections.folder_of(current().home, job.name),
    )


def _start(name: str) -> Response:
    job = _job(name)
    endpoint = trials.start(_home(), job.name, job.folder)
    _evidence().warm(job.folder)
    return _json({"name": endpoint.name})


def _facts(name: str) -> Response:
    job, endpoint = _job(name), _endpoint(name)
    status = trials.settled(_home(), endpoint)
    if status.state is not State.READY:
        return _not_ready(endpoint, status.state, status.failure)
    answer = proxy.get(endpoint.port, "/page/facts")
    if answer.status != 200:
        return Response(answer.body, answer.status, dict(answer.headers))
    return _json({**answer.json, **_known(job)})


def _known(job: Job) -> dict[str, Any]:
    """Return what the console knows of a job beside its server's facts."""
    try:
        found = _evidence().ask(job.folder, "describe")
    except ExplainedError:
        # The page works without samples, and says why where it would show similar images.
        return {"samples": [], "reliability": []}
    samples = [
        {
            "id": f"{one['split']}/{one['row']}",
            "name": one["name"],
            "label": one["label"],
            "url": _address_of(job, one),
            "thumbnail": _address_of(job, one, small=1),
        }
        for one in found["samples"]
    ]
    return {"samples": samples, "reliability": found["reliability"]}


def _invocations(name: str) -> Response:
    image = _body()
    answer = proxy.classify(_endpoint(name).port, image, request.headers.get("Accept", "application/json"))
    return Response(answer.body, answer.status, dict(answer.headers))


def _neighbours(name: str) -> Response:
    job = _job(name)
    answer = proxy.classify(_endpoint(name).port, _body(), _EMBEDDING)
    if answer.status != 200:
        return _json({"images": [], "message": answer.json.get("message", "")})
    try:
        found = _evidence().ask(job.folder, "neighbours", embedding=answer.json["embedding"])
    except UserError as error:
        return _json({"images": [], "message": str(error)})
    images = [{"url": _address_of(job, one, small=1), **_shown(one)} for one in found]
    return _json({"images": images})


def _body() -> bytes:
    # Werkzeug answers a longer one with 413 before it is read.
    request.max_content_length = proxy.MOST_BODY
    return request.get_data(cache=False)


def _shown(found: dict[str, Any]) -> dict[str, Any]:
    return {"label": found["label"], "similarity": found["similarity"]}


def _correct(name: str) -> Response:
    job, image, home = _job(name), _body(), current().home
    right_class = request.args.get("right_class", "")
    class_names = proxy.get(_endpoint(name).port, "/page/facts").json["class_names"]
    corrections.check(right_class, class_names)
    if sample := request.args.get("sample"):
        split, _, row = sample.rpartition("/")
        file = current().roots.resolve(_evidence().ask(job.folder, "place", split=split, row=int(row)))
        if done := label_edits.correct(home, file, right_class):
            return _json({"message": done})
    if not right_class:
        corrections.take_back(home, job.name, image)
        return _json({"message": "It is noted in the CSV file."})
    corrections.record(home, job.name, image, right_class)
    kept = counted(corrections.count(home, job.name), "corrected image")
    return _json({"message": f"Kept with {kept}; reload the page to add them to your data."})


def _image(name: str, split: str, row: int) -> Response:
    job, evidence = _job(name), _evidence()
    # The evidence is a file that may come from elsewhere: only images in allowed folders are shown.
    path = current().roots.resolve(evidence.ask(job.folder, "place", split=split, row=row))
    if request.args.get("small"):
        return Response(evidence.thumbnail(job.folder, path), mimetype="image/webp")
    content = path.read_bytes()
    kind = sniff(content)
    if kind is None:
        raise not_found(f"Image {row} of {split}", "Its file is not an image any more.")
    return Response(content, mimetype=f"image/{kind.lower()}")


def _job(name: str) -> Job:
    found = current().queue.find(name)
    if found is None:
        raise not_found(f"Job {name}", "Choose a job on the Jobs screen.")
    return found


def _endpoint(name: str) -> Endpoint:
    """Return the endpoint that the request names, else the trial server of the job.

    Raises:
        PlatformError: None is running.
    """
    found = _named_endpoint() or trials.find(_home(), _job(name).name)
    if found is None:
        raise PlatformError("The model's server is not running. Reload the page to start it.")
    return found


def _named_endpoint() -> Endpoint | None:
    name = request.args.get(_ENDPOINT)
    if name is None:
        return None
    found = servers.find(_home(), name)
    if found is None or not found.is_here:
        raise not_found(f"Endpoint {name} on this machine", "Choose one on the Try & deploy screen.")
    return found


def _not_ready(endpoint: Endpoint, state: State, failure: str | None) -> Response:
    if state is State.STARTING:
        return _json({"message": "The model is being loaded."}, 503)
    reason = failure or f"The endpoint {endpoint.name} is {state}."
    return _json({"message": f"The model is not served: {reason}"}, 502)


def _as_json(function: Callable[[str], Response]) -> Callable[[str], Response]:
    @functools.wraps(function)
    def wrapped(name: str) -> Response:
        try:
            return function(name)
        except ExplainedError as error:
            return _json({"message": str(error)}, 502 if isinstance(error, PlatformError) else 400)

    return wrapped


def _json(content: Any, status: int = 200) -> Response:
    return Response(json.dumps(content, allow_nan=False), status, mimetype="application/json")


def _address_of(job: Job, image: dict[str, Any], **values: Any) -> str:
    # Relative to the page, not to this request.
    target = url_for("try_deploy.image", name=job.name, split=image["split"], row=image["row"], **values)
    return links.relative(target, url_for("try_deploy.page", name=job.name))


def _home() -> Path:
    return trials.home_of(current().home)


def _evidence() -> Evidence:
    return cast(Evidence, current_app.extensions[EVIDENCE])
