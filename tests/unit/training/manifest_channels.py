"""Channels of empty images with a manifest, for tests of what reads them."""

from pathlib import Path

from image_classifier.class_folders import channel_listing
from image_classifier.class_folders.listing import Listing
from tests.unit.training.trees import put

IMAGES = tuple(f"images/{number}.jpg" for number in range(8))
ROWS = [f"{path},{('cat', 'dog')[number % 2]}" for number, path in enumerate(IMAGES)]


def channel(folder: Path, text: str, name: str = "manifest.csv") -> Path:
    """Make a channel of eight images and a manifest."""
    put(folder, *IMAGES)
    put(folder, name, content=text.encode())
    return folder


def listed(folder: Path, name: str = "training") -> Listing:
    """List a channel."""
    return channel_listing.list_channel(folder, name)


def labels(listing: Listing) -> dict[str, str]:
    """Return class by path below the channel."""
    return {listing.name(one): listing.class_names[one.label] for one in listing.examples}


EXPECTED = {path: ("cat", "dog")[number % 2] for number, path in enumerate(IMAGES)}
