"""The Result screen: the report of a job in tabs, labels to check, comparison."""

from flask import Blueprint, render_template

blueprint = Blueprint("result", __name__)


@blueprint.get("/results")
def main() -> str:
    """Show the screen."""
    return render_template("result/main.html.j2")
