"""The Models screen: the catalogue, what is staged, and speed on this machine."""

from flask import Blueprint, render_template

blueprint = Blueprint("models", __name__)


@blueprint.get("/models")
def main() -> str:
    """Show the screen."""
    return render_template("models/main.html.j2")
