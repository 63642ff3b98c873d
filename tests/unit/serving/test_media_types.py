"""Content-Type and Accept headers as clients write them."""

import time

import pytest

from image_classifier.serving.formats.media_types import parse, parse_preferences


@pytest.mark.parametrize(
    ("text", "name", "parameters"),
    [
        ("application/json", "application/json", {}),
        ("Application/JSON; Verbose", "application/json", {"verbose": ""}),
        (" application/json ;verbose ; N_Predictions = 3 ", "application/json", {"verbose": "", "n_predictions": "3"}),
        ('text/plain; title="a;b,\\"c\\""; q=0.5', "text/plain", {"title": 'a;b,"c"', "q": "0.5"}),
        ("image/jpeg;", "image/jpeg", {}),
        ("", "", {}),
        (";", "", {}),
        ('"', '"', {}),
    ],
)
def test_media_type_is_normalised(text: str, name: str, parameters: dict[str, str]) -> None:
    """Given a media type with spaces, capitals, quotes, or an empty one -> its name and parameters, normalised."""
    found = parse(text)
    assert found.name == name
    assert found.parameters == parameters


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("text/csv;q=0.5, application/json", ["application/json", "text/csv"]),
        ("a/a;q=0.1,b/b;q=0.9,c/c;q=0.9", ["b/b", "c/c", "a/a"]),
        ("text/csv;q=0, */*;q=0.1", ["*/*"]),
        ("a/a;q=high, b/b;q=0.5", ["a/a", "b/b"]),
        ("a/a;q=7, b/b;q=nan, c/c;q=-1", ["a/a", "b/b"]),
        (",, ,", []),
        ('a/a;t="x,y", b/b', ["a/a", "b/b"]),
    ],
)
def test_preferences_are_in_order(text: str, names: list[str]) -> None:
    """Given an Accept header with q-values, also invalid ones -> types by preference, without those excluded."""
    assert [media_type.name for media_type in parse_preferences(text)] == names


def test_flags_are_bare_or_have_a_value() -> None:
    """Given verbose bare, true, false, 0, absent -> yes, yes, no, no, no."""
    forms = ["a/b;verbose", "a/b;verbose=true", "a/b;verbose=False", "a/b;verbose=0", "a/b"]
    assert [parse(form).has("verbose") for form in forms] == [True, True, False, False, False]


@pytest.mark.parametrize(
    "text",
    [
        '"' + '\\"' * 50_000,
        '"' * 100_000,
        '"\\' * 50_000,
        '"a",' * 25_000,
        "," * 100_000,
        ";q=" * 33_000,
        "\\" * 100_000,
    ],
    ids=["escaped quotes", "quotes", "open quotes", "quoted", "commas", "empty qualities", "backslashes"],
)
def test_parsing_takes_linear_time(text: str) -> None:
    """Given 100 KB of quotes, commas or escapes -> parsed within two seconds, not in quadratic time."""
    began = time.process_time()
    parse(text)
    parse_preferences(text)
    assert time.process_time() - began < 2
