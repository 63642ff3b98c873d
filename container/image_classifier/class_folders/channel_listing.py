"""List the images of a channel, and collect its problems."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from image_classifier.class_folders import manifest_scan, split_folders
from image_classifier.class_folders.channel_scan import Scan, scan
from image_classifier.class_folders.listing import Listing
from image_classifier.class_folders.problems import Problem, raise_all
from image_classifier.contract.errors import PlatformError
from image_classifier.contract.names import code_points, listed, look_alike, on_one_line
from image_classifier.imaging import EXTENSIONS

_NAMES_SHOWN = 20
_DETAILS = 3


def list_channel(folder: Path, channel: str, class_names: Sequence[str] | None = None) -> Listing:
    """List a channel, by its manifest or its class folders: nested ones are walked, hidden and system names ignored.

    Class names are in Unicode's composed form and in Python's `sorted()` order. With `class_names` (those of the
    training channel) the folders must be among them; classes without images are then allowed.

    Raises:
        UserError: The channel is missing or empty, has fewer than two classes, a class has no image or a name that is
            not text, a class is not one of `class_names`, or a link leads out of the channel.
        PlatformError: A folder or a file cannot be read.
    """
    return complete(scan(folder, channel), class_names)


def complete(found: Scan, class_names: Sequence[str] | None = None) -> Listing:
    """Return a whole channel's listing with the class order of `class_names`, when they are given.

    Raises:
        UserError, PlatformError: As `list_channel` does; the message names every problem.
    """
    raise_all([*found.problems, *problems_of_whole(found, class_names)])
    return with_labels(found.listing, class_names)


def with_labels(listing: Listing, class_names: Sequence[str] | None) -> Listing:
    """Return the listing with labels that are indices into `class_names`, a superset of its own names."""
    if class_names is None or tuple(class_names) == listing.class_names:
        return listing
    indices = {name: index for index, name in enumerate(class_names)}
    examples = tuple(replace(one, label=indices[listing.class_names[one.label]]) for one in listing.examples)
    return replace(listing, class_names=tuple(class_names), examples=examples)


def problems_of_whole(found: Scan, class_names: Sequence[str] | None = None) -> list[Problem]:
    """Return the problems of a complete channel; `class_names` are those of training, for another channel."""
    listing, channel = found.listing, found.channel
    folder = on_one_line(str(listing.folder))
    layout = f"{folder}/<class name>/<image>, one folder per class"
    if any(problem.owner is PlatformError for problem in found.problems):
        # An unreadable folder looks empty.
        return []
    if found.manifest:
        return manifest_scan.problems_of_whole(listing, channel, found.manifest, class_names)
    if not listing.folder.is_dir() and not listing.class_names:
        return [Problem(f"The {channel} channel is missing: the folder {folder} does not exist. Expected {layout}.")]
    if not listing.class_names:
        if any("backslash" in problem.text for problem in found.problems):
            return []
        only_images = sum(found.loose.values()) == found.loose_images
        holds = "" if only_images else f" It holds {loose_files(found)}."
        return [Problem(f"The {channel} channel has no class folders in {folder}.{holds} {_remedy(found, layout)}")]
    if class_names is not None and (unknown := sorted(set(listing.class_names) - set(class_names))):
        return [
            Problem(
                f"The {channel} channel has classes that the training channel lacks: "
                f"{listed([code_points(name) for name in unknown])}. Its folders must be among: "
                f"{listed([code_points(name) for name in class_names], _NAMES_SHOWN)}."
                f"{_hint(listing, unknown, class_names)}"
            )
        ]
    return [Problem(text) for text in (*_empty(listing, channel), *([] if class_names else _alone(found)))]


def _hint(listing: Listing, unknown: Sequence[str], class_names: Sequence[str]) -> str:
    below = dict(zip(listing.class_names, listing.subfolders, strict=True))
    if wrapping := [name for name in unknown if below[name] and below[name] <= set(class_names)]:
        inside = listed(sorted(map(on_one_line, below[wrapping[0]])))
        return f" {on_one_line(wrapping[0])} holds {inside}: put these folders directly into the channel."
    alike = {look_alike(name) for name in class_names}
    if any(look_alike(name) in alike for name in unknown):
        return " Names in all channels are the same in case, spaces and characters that are hard to see."
    return ""


def parts_of_a_split(found: Scan, classes: Collection[str] = ()) -> list[Problem]:
    """Return a problem when class folders look like parts of a split, unless all of them are among `classes`."""
    listing = found.listing
    if found.manifest:
        return []
    labels = {name: label for label, name in enumerate(listing.class_names)}
    parts = split_folders.parts(listing.class_names, lambda name: listing.subfolders[labels[name]])
    if not parts or set(parts) <= set(classes):
        return []
    below = [listing.subfolders[labels[name]] for name in parts]
    return [Problem(split_folders.message(found.channel, list(map(on_one_line, parts)), set.intersection(*below)))]


def _remedy(found: Scan, layout: str) -> str:
    match found.loose_images:
        case 0:
            return f"Expected {layout}."
        case 1:
            return f"1 image lies directly in it; move it into a folder named as its class. Expected {layout}."
        case count:
            return f"{count:,} images lie directly in it; move them into one folder per class. Expected {layout}."


def loose_files(found: Scan) -> str:
    """Describe the files beside the class folders; empty without such files."""
    return listed([text if count == 1 else f"{count} {text}" for text, count in found.loose.items()])


def _empty(listing: Listing, channel: str) -> list[str]:
    folder = on_one_line(str(listing.folder))
    counts = listing.counts()
    empty = [name for name, count in counts.items() if not count]
    wanted = " ".join(sorted(EXTENSIONS))
    details = "; ".join(f"{on_one_line(name)} {listing.unused.of_class(name)}" for name in empty[:_DETAILS])
    if not listing.examples:
        return [f"The {channel} channel {folder} has no image: {details}. Expected files ending in {wanted}."]
    if not empty:
        return []
    return [
        f"The {channel} channel has classes without an image: {listed(list(map(on_one_line, empty)))}. {details}. Put "
        f"files ending in {wanted} there, or remove the folders."
    ]


def _alone(found: Scan) -> list[str]:
    listing, channel = found.listing, found.channel
    if len(listing.class_names) > 1:
        return []
    below = sorted(listing.subfolders[0])
    beside = f" Beside it lies {loose_files(found)}." if found.loose else ""
    nested = f" It holds the folders {listed(list(map(on_one_line, below)))}." if below else ""
    if split_folders.parts(below, lambda _: ()):
        nested += " They look like parts of a split: give each as a channel of its own, training, validation, test."
    return [
        f"The {channel} channel {on_one_line(str(listing.folder))} has one class, "
        f"{on_one_line(listing.class_names[0])}; a classifier needs two.{nested}{beside} Give each class its own "
        "folder directly below the channel."
    ]
