"""Server-Sent Events: what changed, so that open pages show it. A page fetches the new content itself.

Event ids grow over restarts, so that a browser that reconnects names the last one that it has seen. If those since then
are not known any more, it gets `reset` and fetches its page.
See https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

KEPT = 1000
"""Events that a browser can catch up on."""
MOST_STREAMS = 20
"""Open streams; each holds a thread of the server. More pages than that poll."""
BEAT_SECONDS = 10.0
"""After which an idle stream sends a comment, by which a closed connection is noticed."""
RETRY_MILLISECONDS = 2000
RESET = "reset"


@dataclass(frozen=True)
class Event:
    """Something about a topic, such as the job `jobs/flowers`, has changed."""

    id: int
    topic: str
    kind: str
    """What changed, such as `progress` or `state`."""

    def encode(self) -> str:
        """Return the event as its browser receives it."""
        return f"id: {self.id}\nevent: {self.kind}\ndata: {self.topic}\n\n"


class TooManyStreamsError(Exception):
    """The page has to poll."""


class EventHub:
    """Passes events on to the streams of all open pages."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._events: deque[Event] = deque(maxlen=KEPT)
        # By the clock, so that ids grow over restarts.
        self._first = self._last = int(time.time() * 1000)
        self._open: set[Stream] = set()

    @property
    def last_id(self) -> int:
        """The id of the latest event: a page that is rendered now shows everything up to it."""
        return self._last

    def publish(self, topic: str, kind: str) -> None:
        """Pass an event on to all streams of its topic."""
        with self._changed:
            self._last += 1
            self._events.append(Event(self._last, topic, kind))
            self._changed.notify_all()

    def stream(self, topics: str, after: int) -> "Stream":
        """Return the stream of topics that begin with `topics`, from the event that follows the id `after`.

        Raises:
            TooManyStreamsError: At once.
        """
        with self._changed:
            if len(self._open) >= MOST_STREAMS:
                raise TooManyStreamsError
            found = Stream(self, topics, after)
            self._open.add(found)
        return found

    def wait(self, stream: "Stream", after: int) -> int:
        """Wait until there is an event after `after`, the stream is closed, or for `BEAT_SECONDS`; return the last."""
        with self._changed:
            if self._last <= after and stream in self._open:
                self._changed.wait(BEAT_SECONDS)
            return self._last

    def since(self, topics: str, after: int) -> list[Event]:
        """Return the events after `after`, the last one of each topic and kind, or `reset` if some are forgotten."""
        with self._changed:
            events = tuple(self._events)
        known = events[0].id - 1 if len(events) == KEPT else self._first
        if after < known:
            return [Event(self._last, topics, RESET)]
        # A page fetches the current state, so that of the same kind only the last one matters.
        found = {(one.topic, one.kind): one for one in events if one.id > after and one.topic.startswith(topics)}
        return sorted(found.values(), key=lambda event: event.id)

    def is_open(self, stream: "Stream") -> bool:
        """Return whether a stream is still open."""
        return stream in self._open

    def release(self, stream: "Stream") -> None:
        """End a stream."""
        with self._changed:
            self._open.discard(stream)
            self._changed.notify_all()

    def close(self) -> None:
        """End all streams."""
        with self._changed:
            self._open.clear()
            self._changed.notify_all()


class Stream:
    """The body of a response: encoded events until the browser, or the hub, closes it."""

    def __init__(self, hub: EventHub, topics: str, after: int):
        self._hub, self._topics, self._after = hub, topics, after

    def __iter__(self) -> Iterator[bytes]:
        """Yield the events, and a comment where nothing happens."""
        yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
        while self._hub.is_open(self):
            last = self._hub.wait(self, self._after)
            found, self._after = self._hub.since(self._topics, self._after), max(last, self._after)
            yield ("".join(event.encode() for event in found) or ":\n\n").encode()

    def close(self) -> None:
        """End the stream; the server calls this when the connection is closed, also before the first event."""
        self._hub.release(self)
