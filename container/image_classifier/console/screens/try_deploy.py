"""The Try & deploy screen: endpoints with their stop buttons, a form for a new one, and the same in code.

The page that asks a model about images, and what it asks, are in `try_model`.
"""

from collections.abc import Mapping
from pathlib import Path

from flask import Blueprint, render_template, request, send_file
from werkzeug.wrappers import Response

from image_classifier.console import links
from image_classifier.console.context import current
from image_classifier.console.forms.same_in_code import Snippet
from image_classifier.console.queueing.job import Job
from image_classifier.console.rejection import not_found
from image_classifier.console.screens import try_model
from image_classifier.console.trying import batches, deploy_in_code, deployments, trials
from image_classifier.console.trying.deploy_in_code import BATCH, WAYS, Deployed
from image_classifier.contract.declaration import Declaration
from image_classifier.contract.errors import ExplainedError, UserError
from image_classifier.pages import try_page
from image_classifier.runners import experiment
from image_classifier.runners.endpoints import docker, sagemaker, servers
from image_classifier.runners.endpoints.record import DOCKER, KINDS, Endpoint

blueprint = Blueprint("try_deploy", __name__, template_folder=str(try_page.TEMPLATES))
try_model.add_to(blueprint)


@blueprint.get("/deployments")
def main() -> str:
    """Show the endpoints, and the form of a new one as the address fills it in."""
    return _main(request.args)


@blueprint.post("/deployments")
def deploy() -> Response | tuple[str, int]:
    """Start an endpoint; the form comes back with the reason if that fails."""
    jobs = {job.name: job for job in deployments.models(current().queue.jobs())}
    try:
        if request.form.get("where") == BATCH:
            _start_batch(jobs)
            return links.see("try_deploy.main", job=request.form["job"], where=BATCH, _anchor="batches")
        asked = deployments.read(request.form, list(jobs))
        folder = jobs[asked.job].folder / "model"
        endpoint = servers.start(
            _home(),
            asked.job,
            folder,
            asked.kind,
            job=asked.job,
            price_per_hour=asked.price_per_hour,
            image=asked.image if asked.kind == DOCKER else None,
            options=asked.options,
        )
    except ExplainedError as error:
        return _main(request.form, str(error)), 400
    return links.see("try_deploy.one", name=endpoint.name)


@blueprint.get("/deployments/batch/<name>/answers.csv")
def answers(name: str) -> Response:
    """Send the answers of a batch job."""
    found = batches.answers(_home(), name)
    if found is None:
        raise not_found(f"The answers of {name}", "Choose a finished batch job on the Try & deploy screen.")
    return send_file(found, mimetype="text/csv", as_attachment=True, download_name=f"{name}.csv")


@blueprint.get("/deployments/<name>")
def one(name: str) -> str:
    """Show an endpoint: status, log, and how to ask it."""
    endpoint = _endpoint(name)
    row = deployments.Row(endpoint, servers.status(_home(), endpoint))
    return render_template(
        "try_deploy/one.html.j2", row=row, log=servers.log(_home(), endpoint), try_page=_calls(endpoint)
    )


@blueprint.post("/deployments/<name>/stop")
def stop(name: str) -> Response:
    """Let an endpoint finish its requests and stop, or kill it."""
    servers.stop(_home(), _endpoint(name), now="now" in request.form)
    return links.see("try_deploy.one" if "stay" in request.form else "try_deploy.main", **_named(name))


@blueprint.post("/deployments/<name>/remove")
def remove(name: str) -> Response:
    """Remove a stopped endpoint from the list; its model stays."""
    servers.remove(_home(), _endpoint(name))
    return links.see("try_deploy.main")


def _start_batch(jobs: Mapping[str, Job]) -> None:
    """Start the batch job of the form.

    Raises:
        UserError: A field is missing or wrong, or the folder lies outside those that the console may read.
    """
    job, images = request.form.get("job", ""), request.form.get("images", "").strip()
    if job not in jobs:
        raise UserError(f"Model: {job[:80]!r} is not a job with a model. Choose one of the list.")
    if images and not experiment.is_s3(images):
        images = str(current().roots.resolve_folder(images))
    batches.start(_home(), job, jobs[job].folder / "model", images, _options(request.form))


def _options(given: Mapping[str, str]) -> dict[str, str]:
    """Return the options of a batch job that a form or an address gives."""
    return {one.name: value for one in batches.DECLARATIONS if (value := given.get(one.name, "").strip())}


def _named(name: str) -> dict[str, str]:
    return {"name": name} if "stay" in request.form else {}


def _main(given: Mapping[str, str], mistake: str = "") -> str:
    jobs = deployments.models(current().queue.jobs())
    chosen = next((job for job in jobs if job.name == given.get("job")), jobs[0] if jobs else None)
    where = given.get("where", KINDS[0])
    way = where if where in WAYS else KINDS[0]
    snippets: tuple[Snippet, ...] = ()
    if chosen:
        image = (given.get("image", "").strip() if way == DOCKER else "") or docker.IMAGE
        deployed = Deployed(
            experiment.name_from(chosen.name),
            chosen.folder / "model",
            image,
            given.get("images", "").strip() or deploy_in_code.IMAGES,
            _options(given),
        )
        snippets = deploy_in_code.snippets(way, deployed)
    shown = next((one for one in snippets if one.key == given.get("code")), snippets[0] if snippets else None)
    return render_template(
        "try_deploy/main.html.j2",
        rows=deployments.rows(_home()),
        jobs=jobs,
        chosen=chosen,
        way=way,
        titles=deploy_in_code.TITLES,
        batches=batches.rows(_home()),
        is_batch=way == BATCH,
        needs_image=way == DOCKER,
        default_image=docker.IMAGE,
        options=_declarations(way),
        snippets=snippets,
        shown=shown,
        given=given,
        mistake=mistake,
    )


def _declarations(way: str) -> tuple[Declaration, ...]:
    if way == BATCH:
        return batches.DECLARATIONS
    return sagemaker.declarations(way) if way in sagemaker.KINDS else ()


def _calls(endpoint: Endpoint) -> try_page.TryPage:
    return try_page.TryPage(facts="", invocations="", server=endpoint.address if endpoint.is_here else None)


def _endpoint(name: str) -> Endpoint:
    found = servers.find(_home(), name)
    if found is None:
        raise not_found(f"Endpoint {name}", "Choose one on the Try & deploy screen.")
    return found


def _home() -> Path:
    return trials.home_of(current().home)
