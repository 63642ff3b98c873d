"""Names in one Unicode form, and printable whatever they hold."""

import unicodedata

import pytest

from image_classifier.contract import names


def test_both_forms_are_one_name() -> None:
    """`café` as macOS and as Linux write it -> equal, in the composed form."""
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert names.normalised(decomposed) == names.normalised(composed) == composed


def test_code_points_tell_the_forms_apart() -> None:
    """Names that look equal -> shown with the code points in which they differ; ASCII as it is."""
    shown = [names.code_points(unicodedata.normalize(form, "é")) for form in ("NFC", "NFD")]
    assert [text.partition(" ")[2] for text in shown] == ["(U+00E9)", "(U+0301)"]
    assert names.code_points("cat") == "cat"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("café", "café"),
        ("caf\udce9", "caf\\xe9"),
        ("\udced\udca0\udcbd", "\\xed\\xa0\\xbd"),
        ("half \ud83c", "half \\ud83c"),
        ("a\nb", "a\nb"),
    ],
)
def test_every_text_can_be_printed(text: str, shown: str) -> None:
    """Bytes that are not UTF-8 and halves of characters -> escaped; everything else as it is."""
    assert names.printable(text) == shown
    assert names.printable(text).encode()


@pytest.mark.parametrize(("text", "shown"), [("a\nb\t\x1b[1m", "a\\x0ab\\x09\\x1b[1m"), ("\udce9\r", "\\xe9\\x0d")])
def test_a_name_stays_on_one_line(text: str, shown: str) -> None:
    """Control characters, which would begin a line of their own in a log -> escaped."""
    assert names.on_one_line(text) == shown
