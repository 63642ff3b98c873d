"""Parse and validate the body of `POST /models`, by which the platform loads a model."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from image_classifier.contract.serving_variables import MODEL_ROOTS
from image_classifier.serving.rejection import RejectedError

MAX_BODY_BYTES = 1024 * 1024
# No slash, so that a name is one path segment; no . and .., which clients and proxies normalise.
_NAME = re.compile(r"(?!\.{1,2}\Z)[!-.0-~]{1,256}\Z")
_SYSTEM_FOLDERS = frozenset(
    {"bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "snap", "sys", "usr", "var"}
)
"""At the root of the disk (https://refspecs.linuxfoundation.org/FHS_3.0/fhs/index.html)."""
_SHARED = frozenset({"/opt/ml", "/opt/ml/models"})
"""The platform's folders of all models."""
_EXPECTED = 'Expected {"model_name": "<name>", "url": "<folder of the unpacked model>"}.'


@dataclass(frozen=True)
class LoadRequest:
    """An arbitrary name, and the folder of the model."""

    name: str
    folder: Path


def parse(body: bytes, roots: Sequence[Path] = ()) -> LoadRequest:
    """Parse the body of `POST /models`; models must be below one of `roots` if there are any.

    Paths are resolved first (`..` and links). System folders are rejected.

    Raises:
        RejectedError: The JSON, the name or the folder is invalid (400).
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RejectedError(
            400, "invalid_json", f"The body is not valid JSON: {str(error)[:200]}. {_EXPECTED}"
        ) from error
    if not isinstance(content, dict):
        raise RejectedError(400, "invalid_json", f"The body is not a JSON object. {_EXPECTED}")
    return LoadRequest(_name(content.get("model_name")), _folder(content.get("url"), roots))


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
        message = f"url is {_shown(given)}; expected the absolute path of an existing folder with a model's files."
        raise RejectedError(400, "invalid_url", message)
    real = Path(os.path.realpath(folder))
    if roots and not any(real.is_relative_to(os.path.realpath(root)) for root in roots):
        allowed = ", ".join(map(str, roots))
        message = f"url is {_shown(given)}; {MODEL_ROOTS.name} allows only models below {allowed}."
        raise RejectedError(400, "invalid_url", message)
    if not roots and _is_system_folder(real):
        message = (
            f"url is {_shown(given)}, which is {_shown(str(real))}: a system folder or at the root of the disk. "
            "Expected a model's own folder, such as /opt/ml/models/flowers/model."
        )
        raise RejectedError(400, "invalid_url", message)
    return folder


def _is_system_folder(real: Path) -> bool:
    # Otherwise a whole disk or mount would be searched for a model.
    return len(real.parts) < 3 or real.parts[1] in _SYSTEM_FOLDERS or str(real) in _SHARED


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # name too long, no permission, or a null byte
        return False


def _shown(given: object) -> str:
    return "missing" if given is None else ascii(given)[:200]
