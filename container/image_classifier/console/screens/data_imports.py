"""What brings new data sets: sample data, S3, an uploaded archive, a dropped folder."""

import shutil
from pathlib import PurePosixPath
from typing import IO, BinaryIO, cast

from flask import Blueprint, Response, jsonify, render_template, request
from werkzeug.formparser import FormDataParser
from werkzeug.wrappers import Response as Redirect

from image_classifier.console import links, tasks
from image_classifier.console.context import current
from image_classifier.console.datasets import imports
from image_classifier.console.datasets.imports import Import
from image_classifier.console.datasets.known import Source
from image_classifier.console.rejection import not_found
from image_classifier.console.screens import data_pages
from image_classifier.contract.errors import ExplainedError, UserError
from image_classifier.photographs import sample_sets

MOST_IMAGE = 256 << 20
"""Bytes of one file of a dropped folder."""
_S3 = "s3://"


def add_to(blueprint: Blueprint) -> None:
    """Add the routes."""
    blueprint.add_url_rule("/data/samples", "sample", _sample, methods=["POST"])
    blueprint.add_url_rule("/data/s3", "from_s3", _from_s3, methods=["POST"])
    blueprint.add_url_rule("/data/uploads", "upload", _upload, methods=["POST"])
    blueprint.add_url_rule("/data/uploads/folder", "upload_folder", _upload_folder, methods=["POST"])
    blueprint.add_url_rule("/data/imports/<id_>", "importing", _importing, methods=["GET"])
    blueprint.add_url_rule("/data/imports/<id_>", "change_import", _change_import, methods=["POST"])
    blueprint.add_url_rule("/data/imports/<id_>/files", "upload_file", _upload_file, methods=["POST"])
    blueprint.add_url_rule("/data/imports/<id_>/finish", "finish_upload", _finish_upload, methods=["POST"])


def _sample() -> Redirect:
    name = request.form.get("name", "")
    sample_sets.find(name)
    return _started(imports.begin(current().home, name, Source.SAMPLE, name))


def _from_s3() -> Redirect | tuple[str, int]:
    address = request.form.get("address", "").strip()
    if not address.startswith(_S3):
        message = f"{address[:200]!r} is not an S3 address. Give one such as s3://my-bucket/flowers/."
        return data_pages.main_page(mistake=message, kind="s3"), 400
    last = PurePosixPath(address.removeprefix(_S3)).name
    return _started(imports.begin(current().home, last, Source.S3, address))


def _started(what: Import) -> Redirect:
    imports.start(current().home, what.id)
    return links.see("data.importing", id_=what.id)


def _upload() -> Response | Redirect:
    """Receive a zip archive: as the body of a script's request, or as the file of a form."""
    if request.mimetype == "multipart/form-data":
        return _started(_received_form())
    home = current().home
    what = imports.begin(home, _stem(request.args.get("name", "")), Source.UPLOAD, request.args.get("name", ""))
    _receive(what, cast(BinaryIO, request.stream))
    imports.start(home, what.id)
    return jsonify(page=links.link("data.importing", id_=what.id))


def _receive(what: Import, stream: BinaryIO) -> None:
    home = current().home
    try:
        imports.receive(stream, imports.folder(home, what.id) / imports.ARCHIVE, request.max_content_length or 0)
    except BaseException:
        # A connection that broke off leaves nothing behind.
        imports.remove(home, what.id)
        raise


def _received_form() -> Import:
    """Write the file of a form straight to the import, not through a temporary folder, which may be small."""
    home = current().home
    begun: list[Import] = []

    def stream_factory(
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        if begun or not filename:
            raise UserError("Choose one zip archive.")
        begun.append(imports.begin(home, _stem(filename), Source.UPLOAD, filename))
        # Werkzeug rewinds the file after it was written.
        return (imports.folder(home, begun[0].id) / f"{imports.ARCHIVE}.partial").open("w+b")

    try:
        parser = FormDataParser(stream_factory=stream_factory, max_form_memory_size=1 << 16, max_form_parts=8)
        _, _, files = parser.parse(
            request.stream, request.mimetype, request.content_length, dict(request.mimetype_params)
        )
        if not begun:
            raise UserError("No file was chosen. Choose a zip archive.")
        for file in files.values():
            file.close()
        archive = imports.folder(home, begun[0].id) / imports.ARCHIVE
        archive.with_name(f"{archive.name}.partial").replace(archive)
    except BaseException:
        for what in begun:
            imports.remove(home, what.id)
        raise
    return begun[0]


def _upload_folder() -> Response:
    """Begin the upload of a dropped folder, whose files follow one by one."""
    name = request.args.get("name", "")
    what = imports.begin(current().home, name, Source.UPLOAD, name)
    return jsonify(
        files=links.link("data.upload_file", id_=what.id),
        finish=links.link("data.finish_upload", id_=what.id),
        remove=links.link("data.change_import", id_=what.id),
    )


def _upload_file(id_: str) -> Response:
    home, path = current().home, request.args.get("path", "")
    request.max_content_length = MOST_IMAGE
    if imports.is_wanted(path):
        imports.receive(
            cast(BinaryIO, request.stream), imports.place_of_upload(home, id_, path), request.max_content_length
        )
    return jsonify(kept=imports.is_wanted(path))


def _finish_upload(id_: str) -> Response:
    home = current().home
    found = _needed(id_)
    data_set = imports.finish(home, found.what)
    imports.forget(home, id_)
    return jsonify(page=links.link("data.overview", key=data_set.key))


def _needed(id_: str) -> imports.Shown:
    found = imports.find(current().home, id_)
    if found is None:
        raise not_found("This import", "Look for its data set on the Data screen.")
    return found


def _importing(id_: str) -> str | Redirect:
    found = _needed(id_)
    if found.data_set is not None:
        imports.forget(current().home, id_)
        return links.see("data.overview", key=found.data_set)
    free = shutil.disk_usage(current().data).free
    return render_template("data/importing.html.j2", shown=found, states=tasks.State, free=free)


def _change_import(id_: str) -> Redirect:
    home, found = current().home, _needed(id_)
    if request.form.get("action") == "resume":
        if not found.is_resumable:
            raise ExplainedError("This import cannot be resumed. Remove it, and begin again.")
        imports.start(home, id_)
        return links.see("data.importing", id_=id_)
    imports.remove(home, id_)
    return links.see("data.main")


def _stem(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name.removesuffix(".zip")
