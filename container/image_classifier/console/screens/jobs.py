"""The Jobs screen: queue, progress and log of jobs; stop, resume, train further, clone."""

from flask import Blueprint, render_template

blueprint = Blueprint("jobs", __name__)


@blueprint.get("/jobs")
def main() -> str:
    """Show the screen."""
    return render_template("jobs/main.html.j2")
