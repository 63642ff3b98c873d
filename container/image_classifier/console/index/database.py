"""The database file: one connection a thread, write-ahead log."""

import sqlite3
import threading
from dataclasses import dataclass, field
from pathlib import Path

FILE = "console.sqlite"


@dataclass(frozen=True)
class Index:
    """The index in a file, used by any number of threads and processes."""

    path: Path
    _threads: threading.local = field(default_factory=threading.local, repr=False, compare=False)

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection; statements outside a transaction are committed at once."""
        found: sqlite3.Connection | None = getattr(self._threads, "connection", None)
        if found is None:
            found = sqlite3.connect(self.path, timeout=10, isolation_level=None)
            found.execute("PRAGMA journal_mode = WAL")
            self._threads.connection = found
        return found
