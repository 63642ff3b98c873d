import threading
from collections.abc import Iterator

import pytest

from image_classifier.console import events
from image_classifier.console.events import EventHub, Stream, TooManyStreamsError


def lines_of(stream: Stream) -> Iterator[str]:
    """Return a stream's parts after the first, which only says when to reconnect."""
    parts = iter(stream)
    assert next(parts).startswith(b"retry: ")
    return (part.decode() for part in parts)


def test_event_reaches_the_streams_of_its_topic() -> None:
    """Given a stream of one job and one of all -> an event of that job reaches both, that of another job one."""
    hub = EventHub()
    after = hub.last_id
    one, every = lines_of(hub.stream("jobs/a/", after)), lines_of(hub.stream("jobs/", after))
    hub.publish("jobs/b/", "progress")
    hub.publish("jobs/a/", "state")
    assert next(one) == f"id: {after + 2}\nevent: state\ndata: jobs/a/\n\n"
    assert next(every).count("event:") == 2


def test_browser_that_reconnects_catches_up() -> None:
    """Given events while a browser was away -> they follow the last one that it has seen, each kind once."""
    hub = EventHub()
    hub.publish("jobs/a/", "state")
    seen = hub.last_id
    for _ in range(3):
        hub.publish("jobs/a/", "progress")
    assert next(lines_of(hub.stream("jobs/", seen))) == f"id: {seen + 3}\nevent: progress\ndata: jobs/a/\n\n"


@pytest.mark.parametrize("missed", [0, events.KEPT + 1])
def test_browser_that_was_away_too_long_fetches_its_page(missed: int) -> None:
    """Given an id of an earlier start, or of an event that is forgotten -> `reset`."""
    hub = EventHub()
    after = hub.last_id - (1 if missed == 0 else 0)
    for _ in range(missed):
        hub.publish("jobs/a/", "progress")
    assert "event: reset" in next(lines_of(hub.stream("jobs/", after)))


def test_ids_grow_over_restarts() -> None:
    """Given a hub after another -> its ids are not below those of the first."""
    first = EventHub()
    first.publish("jobs/a/", "state")
    assert EventHub().last_id >= first.last_id - 1


def test_idle_stream_sends_a_comment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no event for a while -> a comment, by which a closed connection is noticed."""
    monkeypatch.setattr(events, "BEAT_SECONDS", 0.01)
    hub = EventHub()
    assert next(lines_of(hub.stream("jobs/", hub.last_id))) == ":\n\n"


def test_streams_are_limited_and_released() -> None:
    """Given as many streams as threads allow -> one more is rejected until one is closed, even if never read."""
    hub = EventHub()
    streams = [hub.stream("jobs/", 0) for _ in range(events.MOST_STREAMS)]
    with pytest.raises(TooManyStreamsError):
        hub.stream("jobs/", 0)
    streams[0].close()
    assert isinstance(hub.stream("jobs/", 0), Stream)


def test_closing_the_hub_ends_waiting_streams() -> None:
    """Given a stream that waits in a thread -> it ends when the hub is closed."""
    hub = EventHub()
    stream = lines_of(hub.stream("jobs/", hub.last_id))
    thread = threading.Thread(target=lambda: list(stream), daemon=True)
    thread.start()
    hub.close()
    thread.join(5)
    assert not thread.is_alive()
