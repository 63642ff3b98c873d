"""Reading SageMaker's data capture: files by the hour, lines, a window of time, a sample, and corrupt lines."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from image_classifier.contract.errors import UserError
from image_classifier.monitoring import captures
from image_classifier.monitoring.captures import Captured, Reading, Window
from tests.support import captured
from tests.support.captured import HOUR

ANY = Window()


def read(folder: Path, window: Window = ANY, limit: int = 100) -> tuple[list[Captured], Reading]:
    """Read the captured requests of a folder."""
    reading = Reading()
    return list(captures.read(captures.files(folder, window), window, limit, reading)), reading


def test_lines_of_an_endpoint_are_read(tmp_path: Path) -> None:
    """Given two hours of an endpoint -> all of its requests with their times."""
    later = HOUR + timedelta(hours=1)
    captured.write(tmp_path, [captured.line(b"c", b"3", time=later)], later)
    captured.write(tmp_path, [captured.line(b"a", b"1"), "", captured.line(b"b", b"2")])
    found, reading = read(tmp_path)
    found.sort(key=lambda one: one.request.body if one.request else b"")
    assert [one.request and one.request.body for one in found] == [b"a", b"b", b"c"]
    assert [one.response and one.response.body for one in found] == [b"1", b"2", b"3"]
    assert [one.time for one in found] == [HOUR, HOUR, later]
    assert (reading.files, reading.lines, reading.used, reading.corrupt) == (2, 3, 3, 0)


def test_endpoint_is_named_by_its_folder(tmp_path: Path) -> None:
    """Given the folder above an endpoint -> its name; the endpoint's own folder, or one of its files -> unknown."""
    captured.write(tmp_path, [captured.line(b"a", b"1")])
    paths = captures.files(tmp_path, ANY)
    assert captures.endpoint_of(tmp_path, paths) == "shop"
    assert captures.endpoint_of(tmp_path / "shop", paths) is None
    assert captures.endpoint_of(paths[0], paths) is None
    assert captures.endpoint_of(tmp_path, []) is None


def test_json_and_csv_are_captured_as_text(tmp_path: Path) -> None:
    """Given a response with encoding JSON -> its text, as bytes."""
    captured.write(tmp_path, [captured.line(b"a", b'{"probabilities": [1]}', encoding="JSON")])
    assert read(tmp_path)[0][0].response == captures.Payload("application/json", b'{"probabilities": [1]}')


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "null",
        '"text"',
        "{}",
        '{"captureData": 5}',
        '{"captureData": {"endpointInput": {"encoding": "BASE64"}}}',
        '{"captureData": {"endpointInput": {"data": "no base64!", "encoding": "BASE64"}}}',
        '{"captureData": {}, "eventMetadata": {"inferenceTime": "yesterday"}}',
        "[" * 100_000,
        "\ufffd\x00",
    ],
)
def test_corrupt_line_is_counted_and_the_next_one_is_read(tmp_path: Path, line: str) -> None:
    """Given a line that is not a captured request -> it is counted, and the requests around it are read."""
    captured.write(tmp_path, [captured.line(b"a", b"1"), line, captured.line(b"b", b"2")])
    found, reading = read(tmp_path)
    assert {one.request and one.request.body for one in found} == {b"a", b"b"}
    assert (reading.corrupt, reading.used) == (1, 2)


def test_overlong_line_is_counted_and_the_next_one_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a line beyond the limit -> it is not read into memory but counted, and the next one is read."""
    monkeypatch.setattr(captures, "MAX_LINE_BYTES", 1000)
    captured.write(tmp_path, [captured.line(b"x" * 3000, b"1"), captured.line(b"b", b"2")])
    found, reading = read(tmp_path)
    assert [one.request and one.request.body for one in found] == [b"b"]
    assert (reading.lines, reading.corrupt) == (2, 1)


def test_window_leaves_out_files_and_lines(tmp_path: Path) -> None:
    """Given a window -> files of other hours are not opened, lines of the hour outside it are counted."""
    times = [HOUR + timedelta(minutes=10 * index) for index in range(6)]
    captured.write(tmp_path, [captured.line(str(time.minute).encode(), b"1", time=time) for time in times])
    captured.write(tmp_path, ["{"], HOUR - timedelta(hours=1))
    captured.write(tmp_path, ["{"], HOUR + timedelta(hours=1))
    window = Window(HOUR + timedelta(minutes=10), HOUR + timedelta(minutes=30))
    found, reading = read(tmp_path, window)
    assert {one.request and one.request.body for one in found} == {b"10", b"20"}
    assert (reading.files, reading.outside, reading.corrupt) == (1, 4, 0)


def test_sample_is_random_and_the_same_again(tmp_path: Path) -> None:
    """Given 500 lines and a limit of 50 -> 50 of them, spread over all, and the same in a second run."""
    captured.write(tmp_path, [captured.line(str(number).encode(), b"1") for number in range(500)])
    found, reading = read(tmp_path, limit=50)
    numbers = [int(one.request.body) for one in found if one.request]
    assert len(set(numbers)) == reading.used == 50
    assert min(numbers) < 50
    assert max(numbers) > 450
    assert read(tmp_path, limit=50)[0] == found


def test_one_file_of_any_name_is_read(tmp_path: Path) -> None:
    """Given a file -> its lines; given nothing there -> a sentence that names the path."""
    path = tmp_path / "lines.txt"
    path.write_text(captured.line(b"a", b"1") + "\n", encoding="utf-8")
    assert len(read(path)[0]) == 1
    with pytest.raises(UserError, match=r"missing does not exist, so it has no captured lines"):
        captures.files(tmp_path / "missing", ANY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019-12-01T15:20:00Z", datetime(2019, 12, 1, 15, 20, tzinfo=UTC)),
        ("2019-12-01T15: 20: 00Z", datetime(2019, 12, 1, 15, 20, tzinfo=UTC)),
        ("2019-12-01T15:20:00.123Z", datetime(2019, 12, 1, 15, 20, 0, 123000, tzinfo=UTC)),
        ("2019-12-01", datetime(2019, 12, 1, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_the_platform_writes_them(text: str, expected: datetime) -> None:
    """Given a time, also as the contract's example spaces it -> that time, in UTC without an offset."""
    assert captures.parse_time(text) == expected


def test_line_of_the_documentation_is_read() -> None:
    """Given the line that the developer guide shows -> its time and both payloads."""
    shown = {
        "captureData": {
            "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": "1,2", "encoding": "CSV"},
            "endpointOutput": {
                "observedContentType": "text/csv; charset=utf-8",
                "mode": "OUTPUT",
                "data": "0.99",
                "encoding": "CSV",
            },
        },
        "eventMetadata": {"eventId": "27796f50-1bdb-4c23-b5fe-6a0d0a2d3d4c", "inferenceTime": "2020-07-30T13:36:30Z"},
        "eventVersion": "0",
    }
    found = captures.parse(json.dumps(shown).encode())
    assert found.time == datetime(2020, 7, 30, 13, 36, 30, tzinfo=UTC)
    assert found.request == captures.Payload("text/csv", b"1,2")


def test_beginning_of_a_sample_is_spread_over_the_period(tmp_path: Path) -> None:
    """Given 500 lines, of which the first 50 suffice since each has ten images -> they are from the whole period."""
    captured.write(tmp_path, [captured.line(str(number).encode(), b"1") for number in range(500)])
    numbers = [int(one.request.body) for one in read(tmp_path, limit=500)[0][:50] if one.request]
    assert min(numbers) < 50
    assert max(numbers) > 450
