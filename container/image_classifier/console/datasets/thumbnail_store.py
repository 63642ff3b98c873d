"""Thumbnails on the disk: one SQLite file in the cache, which may be deleted at any time.

They are found by a file's path, size and modification time, and shared by files of equal content.
"""

import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from image_classifier.console.datasets.regular_files import Stamp

FILE = "thumbnails.sqlite"
MOST_BYTES = 512 * 2**20
"""Of all thumbnails: about 100,000 photographs."""
_CHECKED_EVERY = 256
"""New thumbnails between two checks of the total."""
_SHARE_LEFT = 0.8
"""Of `MOST_BYTES`, once the oldest are removed."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS content (
    sha256 TEXT PRIMARY KEY, webp BLOB NOT NULL, problem TEXT NOT NULL, added REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, modified INTEGER NOT NULL, sha256 TEXT NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Kept:
    """What is kept of a file's content."""

    sha256: str
    webp: bytes
    problem: str


class Store:
    """The thumbnails of one console. Thread-safe; failures of the disk cost the cache, never a page."""

    def __init__(self, file: Path, most_bytes: int = MOST_BYTES) -> None:
        self._file, self._most = file, most_bytes
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._new = 0

    def find(self, path: str, stamp: Stamp) -> Kept | None:
        """Return the thumbnail of a file that has not changed since it was kept."""
        rows = self._run(
            "SELECT sha256, webp, problem FROM files JOIN content USING (sha256)"
            " WHERE path = ? AND size = ? AND modified = ?",
            (_text(path), stamp.size, stamp.modified),
        )
        return Kept(*rows[0]) if rows else None

    def by_content(self, sha256: str) -> Kept | None:
        """Return the thumbnail of a file of this content."""
        rows = self._run("SELECT sha256, webp, problem FROM content WHERE sha256 = ?", (sha256,))
        return Kept(*rows[0]) if rows else None

    def keep(self, path: str, stamp: Stamp, kept: Kept) -> None:
        """Keep a thumbnail."""
        self._run(
            "INSERT OR REPLACE INTO content VALUES (?, ?, ?, ?)", (kept.sha256, kept.webp, kept.problem, time.time())
        )
        self._run(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)",
            (_text(path), stamp.size, stamp.modified, kept.sha256),
        )
        self._new += 1
        if self._new >= _CHECKED_EVERY:
            self._new = 0
            self.shrink()

    def total_bytes(self) -> int:
        """Return the bytes of all thumbnails."""
        rows = self._run("SELECT COALESCE(SUM(LENGTH(webp)), 0) FROM content")
        return int(rows[0][0]) if rows else 0

    def shrink(self) -> None:
        """Remove the oldest thumbnails if all together exceed the limit."""
        if (total := self.total_bytes()) <= self._most:
            return
        wanted = total - int(self._most * _SHARE_LEFT)
        self._run(
            "DELETE FROM content WHERE sha256 IN (SELECT sha256 FROM (SELECT sha256,"
            " SUM(LENGTH(webp)) OVER (ORDER BY added, sha256) AS sum FROM content) WHERE sum <= ?)",
            (wanted,),
        )
        self._run("DELETE FROM files WHERE sha256 NOT IN (SELECT sha256 FROM content)")

    def _run(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[str, bytes, str]]:
        with self._lock:
            try:
                return self._connected().execute(statement, values).fetchall()
            except sqlite3.DatabaseError:
                # Corrupt, or the disk is full: thumbnails are then made again each time.
                self._connection = None
                return []

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._file, check_same_thread=False, isolation_level=None, timeout=5.0)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=OFF")
            connection.executescript(_SCHEMA)
            self._connection = connection
        return self._connection


def _text(path: str) -> str:
    """Return a path as text that SQLite takes: bytes that are not UTF-8 as escapes."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")
