"""Ask a running server what is on pictures, and show it as a table or as JSON lines."""

import argparse
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from image_classifier.contract.errors import JobError, PlatformError, UserError, complain

URL = "http://127.0.0.1:8080/invocations"
EVERY_CLASS = "application/json;verbose"
BEST_THREE = "application/json;verbose;n_predictions=3"


def ask(picture: Path, url: str, accept: str) -> dict[str, Any]:
    """Send a picture and return the answer.

    Raises:
        UserError: The picture cannot be read, or the server refuses it.
        PlatformError: No server answers there, or it answers something else than JSON.
    """
    try:
        data = picture.read_bytes()
    except OSError as error:
        raise UserError(f"{picture} cannot be read: {error.strerror}.") from error
    try:
        request = urllib.request.Request(url, data, {"Content-Type": "application/x-image", "Accept": accept})
        with _opener(url).open(request, timeout=60) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError as error:
        raise UserError(f"{picture}: {_reason(error)}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise PlatformError(
            f"No server answers as expected at {url}: {reason}. scripts/serve-locally starts one; --url names another."
        ) from error
    if not isinstance(found, dict):
        raise PlatformError(f"The server at {url} answers {type(found).__name__}, not an object.")
    return found


def _opener(url: str) -> urllib.request.OpenerDirector:
    # A proxy of the environment is for other machines than this one.
    local = urllib.parse.urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
    return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if local else []))


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return f"refused with {error.code}: {json.load(error)['message']}"
    except (ValueError, KeyError, TypeError):
        return f"refused with {error.code} {error.reason}"


def summary(answer: Mapping[str, Any]) -> str:
    """Return the most probable classes of an answer in words: names where it has some, else indices."""
    probabilities = answer.get("probabilities", [])
    names = answer.get("labels") or [f"class {index}" for index in range(len(probabilities))]
    if len(names) == 2 and len(probabilities) == 1:
        probabilities = [1 - probabilities[0], probabilities[0]]
    best = sorted(zip(probabilities, names, strict=False), reverse=True)[:3]
    return "   ".join(f"{name} {100 * probability:.1f} %" for probability, name in best)


def predict(pictures: Sequence[Path], url: str, accept: str, as_json: bool) -> int:
    """Ask about every picture, print the answers, and return 1 when one had none."""
    width = max(len(str(picture)) for picture in pictures)
    code = 0
    for picture in pictures:
        try:
            answer = ask(picture, url, accept)
        except PlatformError:
            raise
        except JobError as error:
            code = complain(error)
            continue
        line = json.dumps({"file": str(picture), **answer}) if as_json else f"{picture!s:<{width}}  {summary(answer)}"
        print(line, flush=True)
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scripts/predict`."""
    parser = argparse.ArgumentParser(prog="scripts/predict", description="Ask a server what is on pictures.")
    parser.add_argument("pictures", type=Path, nargs="+", metavar="IMAGE")
    parser.add_argument("--url", default=URL, help=f"default: {URL}")
    parser.add_argument("--accept", metavar="TYPE", help=f"default: {BEST_THREE}, with --json {EVERY_CLASS}")
    parser.add_argument("--json", action="store_true", help="a JSON object a line: the file and the server's answer")
    given = parser.parse_args(arguments)
    accept = given.accept or (EVERY_CLASS if given.json else BEST_THREE)
    try:
        return predict(given.pictures, given.url, accept, given.json)
    except JobError as error:
        return complain(error)


if __name__ == "__main__":
    sys.exit(main())
