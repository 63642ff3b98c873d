"""The images of a data set: grid by pages or windows, thumbnails, and the form that changes labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, abort, jsonify, make_response, render_template, request
from werkzeug.wrappers import Response as Redirect

from image_classifier.console import links
from image_classifier.console.context import current
from image_classifier.console.datasets import (
    contents,
    findings,
    health,
    image_names,
    labels,
    placeholders,
    selections,
    thumbnail_store,
    thumbnails,
)
from image_classifier.console.datasets.contents import Contents
from image_classifier.console.datasets.finding import Finding
from image_classifier.console.datasets.health import Facts
from image_classifier.console.datasets.known import DataSet
from image_classifier.console.datasets.labels import Action, ChangedMeanwhileError, Edit, Overlay
from image_classifier.console.datasets.selections import Order, Query, Row, Selection, State
from image_classifier.console.datasets.thumbnail_store import Store
from image_classifier.console.screens import data_pages
from image_classifier.contract.errors import UserError
from image_classifier.contract.names import on_one_line
from image_classifier.evaluation.wording import counted

PAGE = 120
"""Images of a page without script: whole rows of 2, 3, 4, 5, 6 and 8."""
MOST_ROWS = 500
"""Of one window."""
MOST_FORM = 32 << 20
"""Bytes of a form that names selected images."""
_MAX_AGE = 60
"""Seconds for which a browser shows a thumbnail without asking whether its file has changed."""
_FILTERS = ("class", "channel", "state", "finding", "text", "sort")


@dataclass(frozen=True)
class _Shown:
    """What a request asks to see."""

    data_set: DataSet
    contents: Contents
    overlay: Overlay
    facts: Facts | None
    selection: Selection
    filters: Mapping[str, str]
    """The query of the address, without the page."""
    finding: Finding | None


def add_to(blueprint: Blueprint) -> None:
    """Add the routes."""
    blueprint.add_url_rule("/data/<key>/images", "images", _images, methods=["GET"])
    blueprint.add_url_rule("/data/<key>/rows", "rows", _rows, methods=["GET"])
    blueprint.add_url_rule("/data/<key>/labels", "labels", _change, methods=["POST"])
    blueprint.add_url_rule("/thumbnails/<key>", "thumbnail", _thumbnail, methods=["GET"])


def _images(key: str) -> str:
    return _page(_shown(key, request.args))


def _page(shown: _Shown, mistake: str = "", selected: frozenset[str] = frozenset()) -> str:
    pages = max(1, -(-len(shown.selection) // PAGE))
    page = min(max(request.values.get("page", 1, int), 1), pages)
    counts = selections.count(shown.contents, shown.overlay)
    return render_template(
        "data/images.html.j2",
        **vars(shown),
        rows=[_row(row, shown.facts) for row in shown.selection.rows((page - 1) * PAGE, page * PAGE)],
        page=page,
        pages=pages,
        per_page=PAGE,
        counts=counts,
        class_texts={name: image_names.to_text(name) for name in counts.by_class},
        states=State,
        orders=Order,
        mistake=mistake,
        selected=selected,
    )


def _shown(key: str, given: Mapping[str, str]) -> _Shown:
    home, data_set = current().home, data_pages.needed(key)
    found, overlay, facts = contents.read(data_set), labels.read(home, key), health.facts(home, data_set)
    filters = {name: given[name] for name in _FILTERS if given.get(name)}
    finding = None
    if "finding" in filters and facts:
        judged = findings.judge(facts, found, overlay, selections.count(found, overlay))
        finding = next((one for one in judged if one.id == filters["finding"]), None)
    if "finding" in filters:
        images = finding.images if finding else ()
        selection = Selection([place for image in images if (place := found.find(image))], overlay, found)
    else:
        selection = selections.select(found, overlay, _query(filters))
    return _Shown(data_set, found, overlay, facts, selection, filters, finding)


def _query(filters: Mapping[str, str]) -> Query:
    state, order = filters.get("state"), filters.get("sort")
    return Query(
        channel=filters.get("channel", ""),
        class_name=image_names.of_text(filters["class"]) if "class" in filters else None,
        state=State(state) if state in list(State) else None,
        text=filters.get("text", ""),
        order=Order(order) if order in list(Order) else Order.FOLDER,
    )


def _row(row: Row, facts: Facts | None) -> dict[str, Any]:
    """Return what the grid shows of an image; the page's template and its script show the same."""
    moved = row.state is State.CHANGED
    return {
        "image": image_names.to_text(row.image),
        "name": row.name,
        "channel": row.channel,
        "state": row.state.value,
        "class": _class_text(row.class_name),
        "before": on_one_line(row.folder_class) if moved or row.class_name is None else "",
        "problem": facts.unreadable.get(row.image, "") if facts else "",
    }


def _class_text(name: str | None) -> str:
    if name is None:
        return "excluded"
    return on_one_line(name) or "no class"


def _rows(key: str) -> Response:
    shown = _shown(key, request.args)
    start = max(request.args.get("start", 0, int), 0)
    stop = min(request.args.get("stop", start + PAGE, int), start + MOST_ROWS)
    rows = [_row(row, shown.facts) for row in shown.selection.rows(start, stop)]
    return jsonify(total=len(shown.selection), rows=rows, **_state_of(shown.overlay))


def _state_of(overlay: Overlay) -> dict[str, Any]:
    return {
        "revision": overlay.revision,
        "undo": described(overlay.undoable),
        "redo": described(overlay.redoable),
    }


def described(edit: Edit | None) -> str:
    """Say in a few words what an edit did; empty for None."""
    if edit is None:
        return ""
    images = counted(len(edit.images), "image")
    match edit.action:
        case Action.MOVE:
            return f"{images} moved to {on_one_line(edit.to)}"
        case Action.EXCLUDE:
            return f"{images} excluded"
        case _:
            return f"{images} restored"


def _change(key: str) -> Response | Redirect | tuple[str, int]:
    request.max_form_memory_size = MOST_FORM
    wants_json = request.accept_mimetypes.best == "application/json"
    home = current().home
    data_pages.needed(key)
    try:
        overlay = _edited(key)
    except UserError as error:
        status = 409 if isinstance(error, ChangedMeanwhileError) else 400
        if wants_json:
            response = jsonify(message=str(error), **_state_of(labels.read(home, key)))
            response.status_code = status
            return response
        selected = frozenset(request.form.getlist("image"))
        return _page(_shown(key, request.form), str(error), selected), status
    if wants_json:
        return jsonify(message="", **_state_of(overlay))
    filters = {name: request.form[name] for name in (*_FILTERS, "page") if request.form.get(name)}
    return links.see("data.images", key=key, **filters)


def _edited(key: str) -> Overlay:
    home, based_on = current().home, data_pages.revision()
    match request.form.get("action"):
        case "undo":
            return labels.undo(home, key, based_on)
        case "redo":
            return labels.redo(home, key, based_on)
        case action if action in list(Action):
            to = request.form.get("new_class", "").strip() or image_names.of_text(request.form.get("to", ""))
            return labels.edit(home, key, Edit(Action(action), _chosen_images(key), to), based_on)
    raise UserError("The form does not say what to do. Use the page's own buttons.")


def _chosen_images(key: str) -> tuple[str, ...]:
    if request.form.get("all"):
        return tuple(_shown(key, request.form).selection.images())
    found = contents.read(data_pages.needed(key))
    images = dict.fromkeys(map(image_names.of_text, request.form.getlist("image")))
    if gone := [image for image in images if found.find(image) is None]:
        raise UserError(
            f"{len(gone):,} of the selected images do not exist any more, such as {on_one_line(gone[0])[:200]}. "
            "Nothing was changed; reload the page."
        )
    return tuple(images)


@lru_cache(maxsize=8)
def _store(cache: Path) -> Store:
    return Store(cache / thumbnail_store.FILE)


def _thumbnail(key: str) -> Response:
    data_set = data_pages.needed(key)
    place = contents.read(data_set).find(image_names.of_text(request.args.get("path", "")))
    if place is None:
        abort(404)
    found = thumbnails.of(_store(current().cache), *place)
    if found.webp:
        response = make_response(found.webp)
        response.mimetype = "image/webp"
        response.headers["Cache-Control"] = f"private, max-age={_MAX_AGE}"
        response.set_etag(found.sha256)
        response.make_conditional(request)
        return response
    response = make_response(placeholders.drawing(found.problem))
    response.mimetype = "image/svg+xml"
    return response
