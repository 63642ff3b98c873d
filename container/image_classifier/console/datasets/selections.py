"""The images that a page shows: chosen by channel, class, state and text, and sorted."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from image_classifier.console.datasets.contents import UNLABELLED, Channel, Contents
from image_classifier.console.datasets.labels import Overlay
from image_classifier.contract.names import on_one_line

_KEPT = 16


class State(StrEnum):
    """Images by what the overlay says about them."""

    USED = "used"
    """With a class, and not excluded."""
    CHANGED = "changed"
    """With another class than their folder's."""
    EXCLUDED = "excluded"
    UNLABELLED = "unlabelled"
    """In no class folder, and without a class."""


class Order(StrEnum):
    """How images are sorted."""

    FOLDER = "folder"
    """By channel, class folder and name."""
    NAME = "name"
    CLASS = "class"
    """By the present class, then by name."""


@dataclass(frozen=True)
class Query:
    """Which images; empty: any."""

    channel: str = ""
    class_name: str | None = None
    """None: any class."""
    state: State | None = None
    text: str = ""
    """Part of the path, in any case."""
    order: Order = Order.FOLDER


@dataclass(frozen=True)
class Row:
    """One image."""

    image: str
    channel: str
    path: str
    """Below the channel's folder."""
    folder_class: str
    class_name: str | None
    """None: excluded."""

    @property
    def state(self) -> State:
        """What the overlay says about it."""
        return _state(self.folder_class, self.class_name)

    @property
    def name(self) -> str:
        """The file's name, printable on one line."""
        return on_one_line(self.path.rpartition("/")[2])


Place = tuple[Channel, int]


@dataclass(frozen=True)
class Selection:
    """Images in order."""

    places: Sequence[Place]
    overlay: Overlay
    contents: Contents

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.places)

    def rows(self, start: int, stop: int) -> list[Row]:
        """Return some of the images."""
        return [row_of(place, self.overlay) for place in self.places[max(start, 0) : max(stop, 0)]]

    def images(self) -> Iterator[str]:
        """Yield the identity of every image."""
        return (channel.image(row) for channel, row in self.places)


_cache: OrderedDict[Any, Selection] = OrderedDict()
_lock = threading.Lock()


def row_of(place: Place, overlay: Overlay) -> Row:
    """Return an image with its classes."""
    channel, row = place
    image, folder_class = channel.image(row), channel.class_of(row)
    return Row(image, channel.name, channel.files[row], folder_class, overlay.class_of(image, folder_class))


def select(contents: Contents, overlay: Overlay, query: Query) -> Selection:
    """Return the images that a query asks for. The last few answers are kept, since a grid asks for many windows."""
    key = (id(contents), overlay.revision, query)
    with _lock:
        kept = _cache.get(key)
        if kept is not None and kept.contents is contents and kept.overlay is overlay:
            _cache.move_to_end(key)
            return kept
    found = Selection(_chosen(contents, overlay, query), overlay, contents)
    with _lock:
        _cache[key] = found
        while len(_cache) > _KEPT:
            _cache.popitem(last=False)
    return found


def _chosen(contents: Contents, overlay: Overlay, query: Query) -> Sequence[Place]:
    places = list(contents.images())
    for test in _tests(overlay, query):
        places = list(filter(test, places))
    if query.order is Order.NAME:
        places.sort(key=lambda place: place[0].files[place[1]].rpartition("/")[2])
    elif query.order is Order.CLASS:
        places.sort(key=lambda place: _class(place, overlay) or "")
    return places


def _tests(overlay: Overlay, query: Query) -> Iterator[Callable[[Place], bool]]:
    if query.channel:
        yield lambda place: place[0].name == query.channel
    if query.text:
        text = query.text.casefold()
        yield lambda place: text in place[0].files[place[1]].casefold()
    if query.class_name is not None:
        yield lambda place: _class(place, overlay) == query.class_name
    if query.state is not None:
        yield lambda place: _is(query.state, place[0].class_of(place[1]), _class(place, overlay))


def _class(place: Place, overlay: Overlay) -> str | None:
    channel, row = place
    return overlay.class_of(channel.image(row), channel.class_of(row)) if overlay.labels else channel.class_of(row)


def _state(folder_class: str, class_name: str | None) -> State:
    if class_name is None:
        return State.EXCLUDED
    if class_name == UNLABELLED:
        return State.UNLABELLED
    return State.USED if class_name == folder_class else State.CHANGED


def _is(wanted: State | None, folder_class: str, class_name: str | None) -> bool:
    found = _state(folder_class, class_name)
    return found is wanted or (wanted is State.USED and found is State.CHANGED)


@dataclass(frozen=True)
class Counts:
    """Images by channel and class."""

    by_class: Mapping[str, Mapping[str, int]]
    """Class to channel to count, for every class that a folder or the overlay names; without `UNLABELLED`."""
    excluded: int
    unlabelled: int
    changed: int

    def total(self, class_name: str) -> int:
        """Return the images of a class in all channels."""
        return sum(self.by_class[class_name].values())

    @property
    def used(self) -> int:
        """Images with a class."""
        return sum(map(self.total, self.by_class))


def count(contents: Contents, overlay: Overlay) -> Counts:
    """Count the images by their present classes."""
    by_class: dict[str, Counter[str]] = {name: Counter() for name in contents.class_names}
    for channel in contents.channels:
        for label, number in Counter(channel.labels).items():
            name = channel.class_names[label] if label >= 0 else UNLABELLED
            by_class.setdefault(name, Counter())[channel.name] += number
    excluded = changed = 0
    for image, class_name in overlay.labels.items():
        place = contents.find(image)
        if place is None:
            continue
        channel, row = place
        by_class[channel.class_of(row)][channel.name] -= 1
        if class_name is None:
            excluded += 1
        else:
            changed += class_name != channel.class_of(row)
            by_class.setdefault(class_name, Counter())[channel.name] += 1
    unlabelled = by_class.pop(UNLABELLED, Counter()).total()
    return Counts(dict(sorted(by_class.items())), excluded, unlabelled, changed)
