"""Which names are a system's own."""

import pytest

from image_classifier.contract.system_names import is_ignored, is_system_name


@pytest.mark.parametrize(
    "name",
    [
        *("@eaDir", "__MACOSX", "lost+found", "$RECYCLE.BIN", "System Volume Information", ".ipynb_checkpoints"),
        *("Thumbs.db", "desktop.ini", ".DS_Store", "._photo.jpg", "._", "#recycle", "@Recycle", ".Trash-1000"),
        *("__macosx", "THUMBS.DB", "$Recycle.Bin"),
    ],
)
def test_names_of_systems_are_told(name: str) -> None:
    """A name that an operating system, a NAS or a tool leaves behind, in any case -> a system's own, ignored."""
    assert is_system_name(name)
    assert is_ignored(name)


@pytest.mark.parametrize("name", ["cat", "macosx", "lost", "eaDir", "recycle", "thumbs", "1", "caf\udce9", "$", "@cat"])
def test_names_of_classes_are_not(name: str) -> None:
    """A class or file name, even one close to a system's -> neither a system's own nor ignored."""
    assert not is_system_name(name)
    assert not is_ignored(name)


def test_hidden_names_are_ignored_without_being_a_systems() -> None:
    """A name with a leading dot -> ignored in channels, though no system's own."""
    assert is_ignored(".cache")
    assert not is_system_name(".cache")
