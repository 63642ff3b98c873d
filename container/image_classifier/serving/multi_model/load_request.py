"""What the platform says when a model shall be loaded: the body of `POST /models`."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from image_classifier.contract.serving_variables import MODEL_ROOTS
from image_classifier.serving.rejection import RejectedError

MAX_BODY_BYTES = 1024 * 1024
# Without the slash a name is one segment of a path, and without . and .. no client on the way tidies it up.
_NAME = re.compile(r"(?!\.{1,2}\Z)[!-.0-~]{1,256}\Z")
_OF_THE_SYSTEM = frozenset(
    {"bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "snap", "sys", "usr", "var"}
)
"""At the root of the disk (https://refspecs.linuxfoundation.org/FHS_3.0/fhs/index.html)."""
_SHARED = frozenset({"/opt/ml", "/opt/ml/models"})
"""Where the platform puts all models."""
_EXPECTED = 'Expected {"model_name": "<name>", "url": "<folder of the unpacked model>"}.'


@dataclass(frozen=True)
class LoadRequest:
    """A name, which means nothing, and the folder of the model."""

    name: str
    folder: Path


def parse(body: bytes, roots: Sequence[Path] = ()) -> LoadRequest:
    """Read the body of `POST /models`; `roots` are the folders below which models may lie, any without them.

    What a path leads to counts, through `..` and links. A folder of the system is none for a model.

    Raises:
        RejectedError: It is no such JSON, the name is not allowed, or the folder is none (400).
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RejectedError(
            400, "invalid_json", f"The body is not valid JSON: {str(error)[:200]}. {_EXPECTED}"
        ) from error
    if not isinstance(found, dict):
        raise RejectedError(400, "invalid_json", f"The body is no JSON object. {_EXPECTED}")
    return LoadRequest(_name(found.get("model_name")), _folder(found.get("url"), roots))


def _name(given: object) -> str:
    if not isinstance(given, str) or not _NAME.match(given):
        message = (
            f"model_name is {_shown(given)}; allowed: 1 to 256 visible ASCII characters, no slash, not . or .. alone."
        )
        raise RejectedError(400, "invalid_model_name", message)
    return given


def _folder(given: object, roots: Sequence[Path]) -> Path:
    folder = Path(given) if isinstance(given, str) else Path()
    if not folder.is_absolute() or not _is_folder(folder):
        message = f"url is {_shown(given)}; expected the absolute path of a folder that exists, a model's files in it."
        raise RejectedError(400, "invalid_url", message)
    real = Path(os.path.realpath(folder))
    if roots and not any(real.is_relative_to(os.path.realpath(root)) for root in roots):
        allowed = ", ".join(map(str, roots))
        message = f"url is {_shown(given)}; {MODEL_ROOTS.name} allows models below {allowed} alone."
        raise RejectedError(400, "invalid_url", message)
    if not roots and _is_of_the_system(real):
        message = (
            f"url is {_shown(given)}, which is {_shown(str(real))}: a folder of the system or at the root of the disk. "
            "Expected a model's own folder, such as /opt/ml/models/flowers/model."
        )
        raise RejectedError(400, "invalid_url", message)
    return folder


def _is_of_the_system(real: Path) -> bool:
    # A whole disk, or all that is mounted in one place, would be searched for a model.
    return len(real.parts) < 3 or real.parts[1] in _OF_THE_SYSTEM or str(real) in _SHARED


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name too long, a folder that is closed to us, a zero byte
        return False


def _shown(given: object) -> str:
    return "missing" if given is None else ascii(given)[:200]
