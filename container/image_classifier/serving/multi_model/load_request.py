"""What the platform says when a model shall be loaded: the body of `POST /models`."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from image_classifier.serving.refusal import RefusedError

MAX_BODY_BYTES = 1024 * 1024
# Without the slash a name is one segment of a path, and without . and .. no client on the way tidies it up.
_NAME = re.compile(r"(?!\.{1,2}\Z)[!-.0-~]{1,256}\Z")
_EXPECTED = 'Expected {"model_name": "<name>", "url": "<folder of the unpacked model>"}.'


@dataclass(frozen=True)
class LoadRequest:
    """A name, which means nothing, and the folder of the model."""

    name: str
    folder: Path


def parse(body: bytes) -> LoadRequest:
    """Read the body of `POST /models`.

    Raises:
        RefusedError: It is no such JSON, the name is not allowed, or the folder is none (400).
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusedError(
            400, "invalid_json", f"The body is not valid JSON: {str(error)[:200]}. {_EXPECTED}"
        ) from error
    if not isinstance(found, dict):
        raise RefusedError(400, "invalid_json", f"The body is no JSON object. {_EXPECTED}")
    return LoadRequest(_name(found.get("model_name")), _folder(found.get("url")))


def _name(given: object) -> str:
    if not isinstance(given, str) or not _NAME.match(given):
        message = (
            f"model_name is {_shown(given)}; allowed: 1 to 256 visible ASCII characters, no slash, not . or .. alone."
        )
        raise RefusedError(400, "invalid_model_name", message)
    return given


def _folder(given: object) -> Path:
    folder = Path(given) if isinstance(given, str) else Path()
    # All of the disk would be searched for a model.
    if not folder.is_absolute() or folder == folder.parent or not _is_folder(folder):
        message = f"url is {_shown(given)}; expected the absolute path of a folder that exists, a model's files in it."
        raise RefusedError(400, "invalid_url", message)
    return folder


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name too long, a folder that is closed to us, a zero byte
        return False


def _shown(given: object) -> str:
    return "missing" if given is None else ascii(given)[:200]
