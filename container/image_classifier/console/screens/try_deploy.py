"""The Try & deploy screen: a model's answers about images, and its servers and endpoints."""

from flask import Blueprint, render_template

blueprint = Blueprint("try_deploy", __name__)


@blueprint.get("/deployments")
def main() -> str:
    """Show the screen."""
    return render_template("try_deploy/main.html.j2")
