"""One behaviour and the edit that removes it: a passage of a file and its replacement."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Edit:
    """A minimal edit that takes one behaviour of the server out, and the tests that must fail then."""

    fault: int
    """A number of docs/reference/faults.md."""
    what: str
    """What is taken out, a short phrase."""
    file: str
    """Below container/."""
    old: str
    """Occurs there once."""
    new: str
    tests: tuple[str, ...]
    """Each `file::function`, as the row names it, perhaps with one of its parameters' ids in brackets."""

    def applied(self, text: str) -> str:
        """Return the file's text without the behaviour.

        Raises:
            ValueError: The passage does not occur exactly once.
        """
        if (count := text.count(self.old)) != 1:
            raise ValueError(f"Fault {self.fault}, {self.what}: its passage occurs {count} times in {self.file}.")
        return text.replace(self.old, self.new)

    def path(self, root: Path) -> Path:
        """Return where the file lies in a copy of the project."""
        return root / "container" / self.file
