"""The Train screen: the form of an experiment, its estimate, and the same in code."""

from flask import Blueprint, render_template

blueprint = Blueprint("train", __name__)


@blueprint.get("/train")
def main() -> str:
    """Show the screen."""
    return render_template("train/main.html.j2")
