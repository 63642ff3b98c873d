"""No example opens a port of its reader's machine to the network."""

import re

import pytest

from tests.repository.project import ROOT, tracked_files

OPTION = re.compile(
    r"(?<![\w-])(?:--publish[= ]|-p[= ]?)[\"']?(?P<ports>\S*\d*:\d+(?:/tcp)?)\b|(?<![\w-])--publish-all\b"
)
TEXTS = [
    path for path in tracked_files() if path.suffix in {".md", ".yaml", ".yml", ".sh", ""} or path.name == "Dockerfile"
]


def open_ports(text: str) -> list[str]:
    """Return the options of `docker run` in a text that publish a port on more than this machine's own address."""
    return [
        match[0]
        for match in OPTION.finditer(text)
        if not re.match(r"(?:127\.0\.0\.1|localhost|\[::1\]):", match["ports"] or "")
    ]


def test_every_example_publishes_on_this_machine_alone() -> None:
    """Given the README, the guides, the Dockerfile and the commands -> each published port is one of 127.0.0.1."""
    found = {
        str(path.relative_to(ROOT)): open_ports(path.read_text(encoding="utf-8", errors="ignore")) for path in TEXTS
    }
    assert {name: options for name, options in found.items() if options} == {}


def test_examples_are_found() -> None:
    """Given those texts -> the README and two guides publish a port."""
    names = {path.name for path in TEXTS if OPTION.search(path.read_text(encoding="utf-8", errors="ignore"))}
    assert {"README.md", "serverless.md", "multi-model.md"} <= names


@pytest.mark.parametrize(
    ("line", "is_open"),
    [
        ("docker run --publish 8080:8080 x", True),
        ("docker run --publish=8080:8080 x", True),
        ("docker run -p 8080:8080 x", True),
        ("docker run -p8080:8080/tcp x", True),
        ("docker run --publish 0.0.0.0:80:8080 x", True),
        ("docker run --publish-all x", True),
        ("docker run --publish 127.0.0.1:8080:8080 x", False),
        ("docker run -p 127.0.0.1::8080 x", False),
        ("mkdir -p run/job; scripts/publish --repository a:1", False),
    ],
)
def test_open_port_is_noticed(line: str, is_open: bool) -> None:
    """Given options in each spelling -> exactly those that open the port to the network are found."""
    assert bool(open_ports(line)) is is_open
