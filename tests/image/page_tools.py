"""Checks of HTML pages by others' tools: html-validate for the markup, axe-core in the browser for accessibility.

npm installs what `page_checks/package-lock.json` lists, with its digests, into the cache.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Protocol

from tests.image.shared_folders import locked
from tests.support.python_environments import PROJECT

_LOCK = Path(__file__).with_name("page_checks")
_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


class Evaluates(Protocol):
    """A page in a browser."""

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, awaited when it is a promise."""


def installed() -> Path:
    """Return the folder with the tools; it is filled again when the lock has changed."""
    folder = PROJECT / ".cache" / "page-checks"
    with locked(PROJECT / ".cache" / "page-checks.lock"):
        names = ("package.json", "package-lock.json", ".htmlvalidate.json")
        wanted = [(_LOCK / name).read_bytes() for name in names]
        if not (folder / "finished").exists() or [(folder / name).read_bytes() for name in names] != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for name, content in zip(names, wanted, strict=True):
                (folder / name).write_bytes(content)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
            (folder / "finished").touch()
    return folder


def markup_errors(*pages: Path) -> list[str]:
    """Return what html-validate finds in pages: its standard, accessibility and document rules."""
    folder = installed()
    program = folder / "node_modules" / "html-validate" / "bin" / "html-validate.mjs"
    command = ["node", str(program), "--config", str(folder / ".htmlvalidate.json"), "--formatter", "json"]
    # Into a file: of a pipe's content node may lose what was not read when it exits.
    with tempfile.TemporaryFile() as output:
        subprocess.run([*command, *map(str, pages)], stdout=output, check=False, timeout=120)
        output.seek(0)
        found_by_page = json.load(output)
    return [
        f"{Path(page['filePath']).name}:{found['line']}: {found['ruleId']}: {found['message']}"
        for page in found_by_page
        for found in page["messages"]
    ]


def accessibility_errors(tab: Evaluates) -> list[str]:
    """Return what axe-core finds in the page as the tab shows it now."""
    tab.evaluate((installed() / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8") + ";0")
    options = json.dumps({"runOnly": {"type": "tag", "values": _TAGS}, "resultTypes": ["violations"]})
    shown = "(one) => `${one.id}: ${one.nodes[0].html.slice(0, 200)}`"
    found = tab.evaluate(f"axe.run({options}).then((it) => it.violations.map({shown}))")
    return list(found)
