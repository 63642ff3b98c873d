"""SQLite index of jobs, queue, label overlays and events. The folders are the truth; the index may be deleted."""
