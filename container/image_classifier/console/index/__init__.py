"""SQLite index of jobs, queue and label overlays. The folders are the truth; the index may be deleted."""
