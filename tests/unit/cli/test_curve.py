import pytest

from image_classifier.cli.terminal import curve


@pytest.mark.parametrize(
    ("values", "columns", "expected"),
    [
        ([0.0, 0.5, 1.0], 8, "▁▅█"),
        ([3.0, 2.0, 1.0, 0.0], 8, "█▆▃▁"),
        ([0.0, 0.0, 1.0, 1.0], 2, "▁█"),
        ([0.0, 1.0, 1.0], 2, "▁█"),
        ([0.5, 0.5], 8, "▄▄"),
        ([0.5], 8, ""),
        ([], 8, ""),
        ([0.0, 1.0], 1, ""),
        ([0.0, 1.0], -3, ""),
    ],
)
def test_curve_of_values(values: list[float], columns: int, expected: str) -> None:
    """Given values and room -> a character a value, or for the mean of neighbours; none where there is no curve."""
    assert curve.of(values, columns) == expected


def test_many_values_fill_the_room() -> None:
    """Given 1,000 rising values -> as many characters as there is room for, never falling."""
    found = curve.of([float(number) for number in range(1_000)], 16)
    assert len(found) == 16
    assert sorted(found) == list(found)
