"""Links between the pages of the console, relative to the page they are on.

Relative links work wherever the console is reached: on its own port, and below a path of a notebook's proxy, which the
console does not see.
"""

from typing import Any
from urllib.parse import urlsplit

from flask import redirect, request, url_for
from werkzeug.wrappers import Response


def link(endpoint: str, **values: Any) -> str:
    """Return the address of an endpoint, relative to that of the current request."""
    target = url_for(endpoint, **values)
    return relative(target, request.path)


def link_to(path: str) -> str:
    """Return the address of an absolute path of the console, relative to that of the current request.

    For pages that have an agreed address: `/jobs/flowers/result/overview`.
    """
    return relative(path, request.path)


def relative(target: str, page: str) -> str:
    """Return the absolute path `target`, with its query and fragment, relative to the absolute path `page`.

    `/data` from `/jobs/one` is `../data`, and from `/` it is `data`.
    """
    parts = urlsplit(target)
    here, there = page.split("/")[1:-1], parts.path.split("/")[1:]
    same = 0
    while same < min(len(here), len(there) - 1) and here[same] == there[same]:
        same += 1
    # Without `./` an empty path would be the current page, and a colon in the first part would end a scheme.
    path = "../" * (len(here) - same) + "/".join(there[same:])
    path = path if path.startswith("../") else f"./{path}"
    return parts._replace(path=path).geturl()


def see(endpoint: str, **values: Any) -> Response:
    """Return the redirect after a form was accepted (303), so that reloading the page does not send the form again."""
    return redirect(link(endpoint, **values), code=303)
