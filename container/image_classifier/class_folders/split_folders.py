"""Class folders that are the parts of a split: `train` and `val`, `flowers` and `flowers-test`.

The line is drawn by the folders' names first, since layouts alone do not tell: classes may well share the names of
their sub-folders (`2021` and `2022`, `left` and `right`). A name consists of words; words such as `train` or `val`
give it a role, words such as `set` or `images` mean nothing, and the others are its stem. Folders of one stem are
parts of a split when

* one has the role of training and another has another role, or
* all folders have roles, or
* they differ in role (one may have none) and share names of sub-folders that hold images.

So `test` and `control`, `grade-0` and `grade-1`, or `train` and `bus` are classes. Names that a rule takes for parts
although they are classes stay usable: `class_weights` that names every one of them says so.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

_ROLES = {
    **dict.fromkeys(("train", "training", "trn"), "training"),
    **dict.fromkeys(("val", "valid", "validate", "validation", "eval", "evaluate", "evaluation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "holdout", "heldout"), "test"),
}
_NUMBERED = ("fold", "split", "dataset", "subset")
"""Words that make a role of their own with the number behind them: fold 1, fold 2."""
_FILLERS = frozenset(
    ("set", "sets", "data", "dataset", "datasets", "images", "image", "imgs", "img", "images", "photos", "files")
)
_GLUED = re.compile(f"({'|'.join(sorted(_ROLES, key=len, reverse=True))})(?:set|data|images|imgs)")
_SHOWN = 6


@dataclass(frozen=True)
class _Name:
    folder: str
    stem: tuple[str, ...]
    role: str
    """A channel, a numbered part, or empty."""


def parts(folders: Sequence[str], subfolders: Callable[[str], Collection[str]]) -> list[str]:
    """Return those of the class folders that look like parts of a split, in their order; empty: none do.

    `subfolders` returns, for a folder, the names of its sub-folders that hold images; it is asked only where a name
    has a role.
    """
    by_stem: dict[tuple[str, ...], list[_Name]] = defaultdict(list)
    for folder in folders:
        name = _parse(folder)
        by_stem[name.stem].append(name)
    found: set[str] = set()
    for group in by_stem.values():
        roles = {name.role for name in group}
        if len(roles) < 2:
            continue
        with_roles = {name.folder for name in group if name.role}
        channels = roles & {"training", "validation", "test"}
        if ("training" in roles and len(channels) > 1) or (len(channels) > 1 and len(with_roles) == len(folders)):
            found |= with_roles
        else:
            found |= _sharing(group, subfolders)
    return [folder for folder in folders if folder in found]


def channel_of(folder: str) -> str | None:
    """Return the channel that a folder's name alone stands for: `train`, `val-images`; None for other names."""
    name = _parse(folder)
    return name.role if name.role in _ROLES.values() and not name.stem else None


def _sharing(group: Sequence[_Name], subfolders: Callable[[str], Collection[str]]) -> set[str]:
    below = {name.folder: set(subfolders(name.folder)) for name in group}
    return {
        one.folder
        for one in group
        if any(one.role != other.role and below[one.folder] & below[other.folder] for other in group)
    }


def _parse(folder: str) -> _Name:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", folder)
    words = re.findall(
        r"[^\W\d_]+|\d+", spaced.casefold().replace("held-out", "heldout").replace("held_out", "heldout")
    )
    stem: list[str] = []
    role = ""
    for place, word in enumerate(words):
        glued = _GLUED.fullmatch(word)
        after = words[place + 1] if place + 1 < len(words) else ""
        if word in _ROLES or glued:
            role = _ROLES[glued[1] if glued else word]
        elif word in _NUMBERED and after.isdigit():
            role = f"{word} {after}"
        elif word in _FILLERS or (word.isdigit() and place and words[place - 1] in {*_ROLES, *_NUMBERED}):
            continue
        else:
            stem.append(word)
    return _Name(folder, tuple(stem), role)


def message(channel: str, found: Sequence[str], shared: Collection[str]) -> str:
    """Return the sentence for `parts` of a channel; `shared` are names of sub-folders, for the reader to recognise."""
    names = ", ".join(found[:_SHOWN])
    below = f" (with the sub-folders {', '.join(sorted(shared)[:_SHOWN])})" if shared else ""
    weights = ", ".join(f'"{name}": 1' for name in found[:_SHOWN])
    return (
        f"The folders {names} in the {channel} channel{below} look like parts of a split, not like classes. Give each "
        "part as a channel of its own: training, validation, test. If they are classes, name each of them in "
        f"class_weights: {{{weights}}}."
    )
