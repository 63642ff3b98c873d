"""The Try & deploy screen: endpoints with their stop buttons, a form for a new one, and the same in code.

The page that asks a model about images, and what it asks, are in `try_model`.
"""

from collections.abc import Mapping
from pathlib import Path

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from image_classifier.console import links
from image_classifier.console.context import current
from image_classifier.console.forms.same_in_code import Snippet
from image_classifier.console.rejection import not_found
from image_classifier.console.screens import try_model
from image_classifier.console.trying import deploy_in_code, deployments, trials
from image_classifier.console.trying.deploy_in_code import WAYS, Deployed
from image_classifier.contract.errors import ExplainedError
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
        deployed = Deployed(experiment.name_from(chosen.name), chosen.folder / "model", image)
        snippets = deploy_in_code.snippets(way, deployed)
    shown = next((one for one in snippets if one.key == given.get("code")), snippets[0] if snippets else None)
    return render_template(
        "try_deploy/main.html.j2",
        rows=deployments.rows(_home()),
        jobs=jobs,
        chosen=chosen,
        way=way,
        titles=deploy_in_code.TITLES,
        can_start=way in KINDS,
        needs_image=way == DOCKER,
        default_image=docker.IMAGE,
        options=sagemaker.declarations(way) if way in sagemaker.KINDS else (),
        snippets=snippets,
        shown=shown,
        given=given,
        mistake=mistake,
    )


def _calls(endpoint: Endpoint) -> try_page.TryPage:
    return try_page.TryPage(facts="", invocations="", server=endpoint.address if endpoint.is_here else None)


def _endpoint(name: str) -> Endpoint:
    found = servers.find(_home(), name)
    if found is None:
        raise not_found(f"Endpoint {name}", "Choose one on the Try & deploy screen.")
    return found


def _home() -> Path:
    return trials.home_of(current().home)
