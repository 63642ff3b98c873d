"""The Flask application of the console: guard, error pages, screens, and what every template may use."""

from flask import Flask, Response, abort, send_from_directory
from jinja2 import StrictUndefined
from werkzeug.wrappers import Response as Redirect

from image_classifier import pages
from image_classifier.console import context, errors, formats, links, screens, security
from image_classifier.console.context import Console
from image_classifier.console.queueing import wording
from image_classifier.console.security import Access
from image_classifier.evaluation.wording import counted
from image_classifier.resources import processors

MOST_BODY = 2 << 30
"""Bytes of an upload, a zip archive of images at most; screens accept less where they expect less."""


def create_app(console: Console, access: Access) -> Flask:
    """Return the application of a console."""
    app = Flask("image_classifier.console", static_folder="static", template_folder="templates")
    # The redirect to the address with one slash would be absolute: it leads out of a notebook's proxy.
    app.url_map.merge_slashes = False
    app.extensions[context.KEY] = console
    app.config["MAX_CONTENT_LENGTH"] = MOST_BODY
    app.jinja_env.undefined = StrictUndefined
    # Flask's own choice goes by a file's last suffix, which is j2.
    app.jinja_env.autoescape = True
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    security.guard(app, access)
    errors.register(app)
    for blueprint in screens.BLUEPRINTS:
        app.register_blueprint(blueprint)
    _add_own_pages(app)
    formats.register(app.jinja_env)
    app.jinja_env.globals.update(
        link=links.link,
        link_to=links.link_to,
        navigation=screens.NAVIGATION,
        machine=_machine(),
        busy=_busy,
        job_words=wording,
    )
    return app


def _add_own_pages(app: Flask) -> None:
    @app.get("/")
    def home() -> Redirect:
        return links.see("data.main")

    @app.get("/pages/<name>", endpoint="pages.file")
    def file(name: str) -> Response:
        if name not in pages.FILES:
            abort(404)
        return send_from_directory(pages.FOLDER, name)


def _machine() -> str:
    """Return what the foot of the navigation says about this machine."""
    cpus = counted(processors.available_processors(), "CPU")
    return f"This machine · {cpus} · {'GPU' if processors.has_gpu() else 'no GPU'}"


def _busy() -> int:
    """Return how many jobs run now, for the navigation."""
    return len(context.current().queue.live())
