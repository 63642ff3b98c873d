"""The Data screen: folders of images, their health and their labels.

The routes of its parts: `data_images` the grid and the labels, `data_imports` what brings new data sets.
"""

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from image_classifier.console import links, tasks
from image_classifier.console.context import current
from image_classifier.console.datasets import (
    contents,
    findings,
    folders,
    health,
    image_names,
    known,
    labels,
    selections,
    training_views,
)
from image_classifier.console.datasets.training_views import Links
from image_classifier.console.screens import data_images, data_imports, data_pages
from image_classifier.contract.errors import UserError

blueprint = Blueprint("data", __name__)
data_images.add_to(blueprint)
data_imports.add_to(blueprint)
blueprint.add_app_template_filter(image_names.to_text, "image_text")
blueprint.add_app_template_global(data_images.described, "described")


@blueprint.get("/data")
def main() -> str:
    """Show the known data sets, running imports, and the ways to add one."""
    return data_pages.main_page()


@blueprint.post("/data")
def add() -> Response | tuple[str, int]:
    """Remember the folders that the form names."""
    given = {channel: request.form.get(channel, "") for channel in known.IMAGE_CHANNELS}
    console = current()
    try:
        channels = folders.chosen(console.roots, given)
        first = channels.get(known.TRAINING)
        name = request.form.get("name", "").strip() or (data_pages.name_of(first) if first else "")
        data_set = known.add(console.home, name, channels)
    except UserError as error:
        return data_pages.main_page(given=given, mistake=str(error)), 400
    return links.see("data.overview", key=data_set.key)


@blueprint.get("/data/folders")
def browse() -> str:
    """List the sub-folders of a folder, each a link, to choose one without typing."""
    console = current()
    path = request.args.get("path") or str(console.roots.folders[0])
    field = request.args.get("field", known.TRAINING)
    chosen = {channel: request.args[channel] for channel in known.IMAGE_CHANNELS if request.args.get(channel)}
    listing = folders.browse(console.roots, data_pages.path_of(path))
    roots = [folder for folder in console.roots.folders if folder != console.home]
    return render_template("data/folders.html.j2", listing=listing, roots=roots, field=field, chosen=chosen)


@blueprint.get("/data/<key>")
def overview(key: str) -> str:
    """Show a data set: health, classes, labels."""
    return _overview(key)


def _overview(key: str, mistake: str = "", given: str = "") -> str:
    home, data_set = current().home, data_pages.needed(key)
    found, overlay = contents.read(data_set), labels.read(home, key)
    health.start_if_changed(home, data_set, found)
    facts, counts = health.facts(home, data_set), selections.count(found, overlay)
    order = request.args.get("sort", "")
    return render_template(
        "data/overview.html.j2",
        data_set=data_set,
        contents=found,
        counts=counts,
        classes=sorted(counts.by_class, key=counts.total, reverse=True) if order == "images" else list(counts.by_class),
        most=max(map(counts.total, counts.by_class), default=0),
        overlay=overlay,
        facts=facts,
        is_current=facts is not None and facts.digest == found.digest,
        check=health.status(home, data_set),
        findings=findings.judge(facts, found, overlay, counts) if facts else [],
        licence=data_set.licence,
        imported=known.imported_folder(home, data_set),
        problems=data_pages.problems_of_walk(found),
        mistake=mistake,
        export_to=given or data_pages.export_folder(data_set),
        states=tasks.State,
        links_of_export=Links,
    )


@blueprint.post("/data/<key>/health")
def check(key: str) -> Response:
    """Start the health check again, or cancel it."""
    home, data_set = current().home, data_pages.needed(key)
    if request.form.get("action") == "cancel":
        tasks.cancel(health.folder(home, key))
    else:
        contents.read(data_set, fresh=True)
        health.start(home, data_set)
    return links.see("data.overview", key=key, _anchor="health")


@blueprint.post("/data/<key>/findings/<finding>")
def remedy(key: str, finding: str) -> Response:
    """Carry out the safe remedy of a finding: exclude its superfluous images in the overlay."""
    home, data_set = current().home, data_pages.needed(key)
    found, overlay = contents.read(data_set), labels.read(home, key)
    facts = health.facts(home, data_set)
    judged = findings.judge(facts, found, overlay, selections.count(found, overlay)) if facts else []
    wanted = next((one for one in judged if one.id == finding), None)
    if wanted is None or not wanted.excluded:
        raise UserError("This finding does not exist any more. Nothing was changed.")
    edit = labels.Edit(labels.Action.EXCLUDE, wanted.excluded, reason=finding)
    labels.edit(home, key, edit, data_pages.revision())
    return links.see("data.overview", key=key, _anchor="health")


@blueprint.post("/data/<key>/export")
def export(key: str) -> str | tuple[str, int]:
    """Write the data set with its labels as a folder of links."""
    console, data_set = current(), data_pages.needed(key)
    given = request.form.get("folder", "").strip()
    try:
        path = data_pages.path_of(given)
        folder = console.roots.resolve_folder(path.parent) / path.name
        written = training_views.export(console.home, data_set, folder, Links(request.form.get("links", "hard")))
    except UserError as error:
        return _overview(key, str(error), given), 400
    return render_template("data/exported.html.j2", data_set=data_set, folder=written)


@blueprint.post("/data/<key>/remove")
def remove(key: str) -> Response:
    """Remove a data set from the list; with the confirmed action also its files, if the console wrote them."""
    home, data_set = current().home, data_pages.needed(key, check_roots=False)
    tasks.cancel(health.folder(home, key))
    if request.form.get("action") == "delete":
        if request.form.get("confirmed") != data_set.name:
            raise UserError(f"Nothing was deleted. To delete the images, type the name {data_set.name} exactly.")
        known.delete_imported(home, key)
    else:
        known.forget(home, key)
    return links.see("data.main")
