"""Find the files that a manifest names: relative paths, and s3:// URIs of objects below the channel's prefix."""

import os
import stat
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

from image_classifier.class_folders.manifest_lines import Line
from image_classifier.class_folders.manifest_mistakes import Mistake, Mistakes
from image_classifier.class_folders.storage import Storage
from image_classifier.contract.names import has_control_characters, normalised

_S3 = "s3://"
_TRIED = 20
"""Objects by which the prefix that the channel holds is found."""
_THREADS = 16
_PART = 64


def paths_of(lines: Sequence[Line], folder: str, storage: Storage, mistakes: Mistakes) -> dict[Line, str]:
    """Return the path below the channel of each line whose file exists there; the others are added to `mistakes`.

    Each file is asked for once; no folder is listed, so that storage that streams files (`FastFile`) is not walked.

    Raises:
        PlatformError: The storage fails in spite of retries.
    """
    relative = _relative(lines, folder, storage, mistakes)
    found = _existing(sorted(set(relative.values())), folder, storage)
    result: dict[Line, str] = {}
    for line, path in relative.items():
        answer = found[path]
        if isinstance(answer, Mistake):
            if answer is Mistake.MISSING and "\\" in path:
                answer = Mistake.BACKSLASH
            mistakes.add(answer, line.number, line.source)
        else:
            result[line] = answer
    return result


def _relative(lines: Sequence[Line], folder: str, storage: Storage, mistakes: Mistakes) -> dict[Line, str]:
    objects = {line: line.source.removeprefix(_S3).partition("/") for line in lines if line.source.startswith(_S3)}
    buckets = Counter(bucket for bucket, _, _ in objects.values())
    first = buckets.most_common(1)[0][0] if buckets else ""
    keys = {line: key for line, (bucket, _, key) in objects.items() if bucket == first and not _fault(key)}
    prefix = _prefix(list(keys.values()), folder, storage)
    found: dict[Line, str] = {}
    for line in lines:
        if line in keys:
            found[line] = keys[line].removeprefix(prefix)
        elif line in objects and objects[line][0] != first:
            mistakes.add(Mistake.OTHER_BUCKET, line.number, line.source)
        elif fault := _fault(objects[line][2] if line in objects else line.source.removeprefix("./")):
            mistakes.add(fault, line.number, line.source)
        else:
            found[line] = line.source.removeprefix("./")
    return found


def _fault(path: str) -> Mistake | None:
    if path.startswith("/") or "://" in path:
        return Mistake.ABSOLUTE
    parts = path.split("/")
    if ".." in parts:
        return Mistake.OUTSIDE
    if {"", "."} & set(parts) or has_control_characters(path):
        return Mistake.INVALID_PATH
    return None


def _prefix(keys: Sequence[str], folder: str, storage: Storage) -> str:
    """Return the beginning of all keys, up to a slash, that the channel's folder stands for.

    It is the one below which most of some objects exist in the channel, and the shortest of such: what the platform
    mounted is not written anywhere.
    """
    if not keys:
        return ""
    above = [part for part in os.path.commonpath([key.rpartition("/")[0] for key in keys]).split("/") if part]
    candidates = ["".join(f"{part}/" for part in above[:length]) for length in range(len(above) + 1)]
    step = max(1, len(keys) // _TRIED)
    tried = keys[::step][:_TRIED]

    def existing(prefix: str) -> int:
        answers = _existing([key.removeprefix(prefix) for key in tried], folder, storage)
        return sum(isinstance(answer, str) for answer in answers.values())

    return max(candidates, key=existing)


def _existing(paths: Sequence[str], folder: str, storage: Storage) -> Mapping[str, str | Mistake]:
    """Return for each path the one of the file, which may be in another Unicode form, or what is wrong with it."""
    inside = os.path.realpath(folder)

    @cache
    def is_inside(path: str) -> bool:
        real = os.path.realpath(path)
        return real == inside or real.startswith(f"{inside}/")

    def one(path: str) -> str | Mistake:
        forms = [path] if path.isascii() else [path, normalised(path), unicodedata.normalize("NFD", path)]
        for form in dict.fromkeys(forms):
            whole = f"{folder}/{form}"
            mode = storage.retry(partial(_mode, whole), whole)
            if mode is None:
                continue
            # A link in the place of the file is followed by itself; its folder is the same for many files.
            if not is_inside(whole if stat.S_ISLNK(mode) else whole.rpartition("/")[0]):
                return Mistake.OUTSIDE
            target = _target_mode(whole) if stat.S_ISLNK(mode) else mode
            return form if stat.S_ISREG(target) else Mistake.NOT_A_FILE
        return Mistake.MISSING

    # One task for several files: a task per file would cost more than the check.
    parts = [paths[start : start + _PART] for start in range(0, len(paths), _PART)]
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="manifest") as pool:
        answers = [answer for some in pool.map(lambda part: [one(path) for path in part], parts) for answer in some]
    return dict(zip(paths, answers, strict=True))


def _mode(path: str) -> int | None:
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def _target_mode(path: str) -> int:
    try:
        return os.stat(path).st_mode  # noqa: PTH116 - as text, for thousands of files
    except OSError:
        return 0
