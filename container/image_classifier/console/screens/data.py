"""The Data screen: folders of images, their health and their labels."""

from flask import Blueprint, render_template

blueprint = Blueprint("data", __name__)


@blueprint.get("/data")
def main() -> str:
    """Show the screen."""
    return render_template("data/main.html.j2")
