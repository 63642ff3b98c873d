"""The database file: one connection per thread, write-ahead log, replaced when it is corrupt.

Everything in it can be computed from the folders or be done without. So a full or broken disk never fails a request:
what cannot be written is logged once and left out, and what cannot be read is missing.
"""

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

FILE = "console.sqlite"
CORRUPT = ".corrupt"
"""Suffix under which a corrupt database is kept."""
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (name TEXT PRIMARY KEY, signature TEXT NOT NULL, status TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS queue (name TEXT PRIMARY KEY, position INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS overlays (key TEXT PRIMARY KEY, revision INTEGER NOT NULL, size INTEGER NOT NULL);
"""
_WAIT_SECONDS = 10
"""For another process that is writing."""
_LOG = logging.getLogger(__name__)
Result = TypeVar("Result")


class Index:
    """The index in a file, used by any number of threads and processes."""

    def __init__(self, path: Path):
        self.path = path
        self._threads = threading.local()
        self._generation = 0
        """How often the file was replaced; connections of earlier ones are not used any more."""
        self._lock = threading.Lock()
        self.fault: str | None = None
        """Why the last write was left out, in one sentence; None when it was made."""

    def read(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query; no rows when the file cannot be read."""
        return self._attempt(lambda connection: connection.execute(statement, parameters).fetchall()) or []

    def write(self, statement: str, rows: Sequence[Sequence[Any]] = ((),)) -> bool:
        """Execute a statement once for each row, all or none of them; return whether that was possible."""

        def run(connection: sqlite3.Connection) -> bool:
            with _transaction(connection):
                connection.executemany(statement, rows)
            return True

        return self._attempt(run) or False

    def replace(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bool:
        """Replace the content of a table, all or nothing; return whether that was possible."""
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))

        def run(connection: sqlite3.Connection) -> bool:
            with _transaction(connection):
                connection.execute(f"DELETE FROM {table}")
                connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
            return True

        return self._attempt(run) or False

    def close(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._threads, "connection", None)
        if connection is not None:
            connection.close()
            self._threads.connection = None

    def _attempt(self, work: Callable[[sqlite3.Connection], Result]) -> Result | None:
        for attempt in range(2):
            generation = self._generation
            try:
                found = work(self._connection())
            except sqlite3.DatabaseError as error:
                # Busy, full and read-only are OperationalError; what remains is a file that is not a database.
                if not isinstance(error, sqlite3.OperationalError) and attempt == 0:
                    self._put_aside(generation)
                    continue
                self._report(error)
                return None
            self.fault = None
            return found
        return None

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._threads, "connection", None)
        if found is not None and self._threads.generation == self._generation and self.path.exists():
            return found
        self.close()
        generation = self._generation
        connection = sqlite3.connect(self.path, timeout=_WAIT_SECONDS, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # Safe against a crash of the program; a power failure may lose the last writes, which are rebuilt.
            connection.execute("PRAGMA synchronous = NORMAL")
            if connection.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                connection.executescript(f"{_SCHEMA} PRAGMA user_version = {_VERSION};")
        except sqlite3.Error:
            connection.close()
            raise
        self._threads.connection, self._threads.generation = connection, generation
        return connection

    def _put_aside(self, generation: int) -> None:
        with self._lock:
            if generation != self._generation:
                return
            self.close()
            _LOG.warning("The index %s is corrupt: keeping it under another name and creating a new one.", self.path)
            for suffix in ("", "-wal", "-shm"):
                with contextlib.suppress(OSError):
                    part = self.path.with_name(self.path.name + suffix)
                    part.replace(part.with_name(part.name + CORRUPT))
            self._generation += 1

    def _report(self, error: sqlite3.Error) -> None:
        fault = f"The index {self.path} cannot be used: {error}."
        if fault != self.fault:
            _LOG.warning("%s Jobs and their results are not affected.", fault)
        self.fault = fault


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
