"""Relative links of a Markdown page: where they lead, and which headings a page has."""

import re
from pathlib import Path

_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def links(page: Path) -> list[tuple[Path, str]]:
    """Return the file and the anchor, which may be empty, of each relative link outside code blocks."""
    found = []
    for target in _LINK.findall(_CODE.sub("", page.read_text(encoding="utf-8"))):
        name, _, anchor = target.partition("#")
        found.append(((page.parent / name).resolve() if name else page.resolve(), anchor))
    return found


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", _CODE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken(page: Path) -> list[str]:
    """Return the links of a page whose file or heading does not exist."""
    return [
        f"{target}#{anchor}"
        for target, anchor in links(page)
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target))
    ]


def reachable(start: Path) -> set[Path]:
    """Return every Markdown page that links lead to from a page, itself included."""
    found, pending = {start.resolve()}, [start.resolve()]
    while pending:
        for target, _ in links(pending.pop()):
            if target.suffix == ".md" and target.is_file() and target not in found:
                found.add(target)
                pending.append(target)
    return found
