"""Names of files that operating systems, network storage and tools create, which are never data or part of a model."""

_NAMES = frozenset(
    name.casefold()
    for name in (
        # macOS: archives made by Finder, and volumes.
        *("__MACOSX", ".DS_Store", ".AppleDouble", ".AppleDB", ".AppleDesktop", ".LSOverride", "Icon\r"),
        *(".Spotlight-V100", ".Trashes", ".fseventsd", ".TemporaryItems", ".DocumentRevisions-V100"),
        *(".VolumeIcon.icns", "Network Trash Folder", "Temporary Items"),
        # Windows.
        *("$RECYCLE.BIN", "RECYCLER", "System Volume Information", "Thumbs.db", "Thumbs.db:encryptable"),
        *("ehthumbs.db", "ehthumbs_vista.db", "desktop.ini"),
        # Linux.
        *("lost+found", ".directory"),
        # Synology and QNAP.
        *("@eaDir", "#recycle", "#snapshot", "@tmp", "@Recycle", "@Recently-Snapshot", ".@__thumb", "@__thumb"),
        # NetApp and other NFS snapshots.
        *(".snapshot", "~snapshot"),
        # Jupyter, Python, version control.
        *(".ipynb_checkpoints", "__pycache__", ".git", ".svn", ".hg"),
    )
)
_PREFIXES = ("._", ".trash-", ".nfs0", ".fuse_hidden")
"""AppleDouble (RFC 1740), freedesktop.org trash folders, deleted files that NFS and FUSE keep until they are closed."""


_FIRST = frozenset(letter for name in (*_NAMES, *_PREFIXES) for letter in (name[0], name[0].upper()))
"""A quick check that rules out most names of a channel, which may hold a million."""
UNUSUAL_FIRST = _FIRST | {"."}
"""First characters of every name that `is_ignored` is true of, so that most names need no call."""


def is_system_name(name: str) -> bool:
    """Return whether one component of a path is such a name, in any case: `@eaDir`, `__MACOSX`, `._a.jpg`."""
    if name[:1] not in _FIRST:
        return False
    folded = name.casefold()
    return folded in _NAMES or folded.startswith(_PREFIXES)


def is_ignored(name: str) -> bool:
    """Return whether a channel entry is ignored: a system name, or hidden by a leading dot."""
    return name.startswith(".") or is_system_name(name)
