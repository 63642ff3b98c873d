"""The Result screen: the report of a job in tabs, each with an address; labels to check, comparison, files.

Its views are imported when the first of them is asked for, since they need NumPy, which takes as long to import as the
rest of the console: `result_pages` has the tabs, `result_labels` the labels to check.
"""

from collections.abc import Callable
from importlib import import_module

from flask import Blueprint
from flask.typing import ResponseReturnValue

_ADDRESSES = (
    ("GET", "/results", "result_pages", "main"),
    ("GET", "/jobs/<name>/result", "result_pages", "overview"),
    ("GET", "/jobs/<name>/result/<tab>", "result_pages", "tab"),
    ("GET", "/jobs/<name>/result/mistakes/images", "result_pages", "cell"),
    ("GET", "/jobs/<name>/result/mistakes/matrix", "result_pages", "matrix"),
    ("GET", "/jobs/<name>/result/images/<split>/<int:row>", "result_pages", "image"),
    ("GET", "/jobs/<name>/result/files/<path:path>", "result_pages", "file"),
    ("POST", "/jobs/<name>/result/labels/decide", "result_labels", "decide"),
    ("POST", "/jobs/<name>/result/labels/undo", "result_labels", "undo"),
    ("POST", "/jobs/<name>/result/labels/remember", "result_labels", "remember"),
    ("POST", "/jobs/<name>/result/labels/prepare", "result_labels", "prepare"),
    ("POST", "/jobs/<name>/result/labels/measure", "result_labels", "measure"),
    ("POST", "/jobs/<name>/result/again", "result_labels", "train_again"),
)
"""Method, address, module and function of each view; the function names the endpoint."""
blueprint = Blueprint("result", __name__)


def _imported_later(module: str, function: str) -> Callable[..., ResponseReturnValue]:
    def view(**values: str | int) -> ResponseReturnValue:
        found: Callable[..., ResponseReturnValue] = getattr(import_module(f"{__package__}.{module}"), function)
        return found(**values)

    return view


for _method, _address, _module, _function in _ADDRESSES:
    blueprint.add_url_rule(_address, _function, _imported_later(_module, _function), methods=[_method])
