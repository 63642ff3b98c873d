"""Names that operating systems, network storage and tools leave in folders, which are never data and never a model."""

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
"""AppleDouble (RFC 1740), a freedesktop.org trash folder, files that NFS and FUSE keep until they are closed."""


_FIRST = frozenset(letter for name in (*_NAMES, *_PREFIXES) for letter in (name[0], name[0].upper()))
"""Most names begin with none of them, and a channel may hold a million."""


def is_system_name(name: str) -> bool:
    """Tell whether a file or folder of this name, at any depth, is a system's own: `@eaDir`, `__MACOSX`, `._a.jpg`.

    `name` is one part of a path, in any case.
    """
    if name[:1] not in _FIRST:
        return False
    folded = name.casefold()
    return folded in _NAMES or folded.startswith(_PREFIXES)


def is_ignored(name: str) -> bool:
    """Tell whether a name counts for nothing in a channel: a system's own, or hidden by a leading dot."""
    return name.startswith(".") or is_system_name(name)
