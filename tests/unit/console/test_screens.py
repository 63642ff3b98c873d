from pathlib import Path

import pytest

from image_classifier.console.screens import NAVIGATION
from tests.support.consoles import client_of, make_console


@pytest.mark.parametrize("address", ["/data", "/models", "/train", "/jobs", "/results", "/deployments"])
def test_every_screen_opens_in_an_empty_console(address: str, tmp_path: Path) -> None:
    """Given a new console -> each screen answers, and the navigation marks it as the current one."""
    answer = client_of(make_console(tmp_path)).get(address)
    assert answer.status_code == 200
    assert answer.text.count('aria-current="page"') == 1


def test_navigation_leads_to_every_screen(tmp_path: Path) -> None:
    """Given any page -> its navigation links every screen, relative to that page."""
    text = client_of(make_console(tmp_path)).get("/jobs").text
    assert [entry.title for entry in NAVIGATION] == ["Data", "Models", "Train", "Jobs", "Results", "Try & deploy"]
    for address in ("data", "models", "train", "jobs", "results", "deployments"):
        assert f'<a href="./{address}"' in text


def test_text_of_users_cannot_become_markup(tmp_path: Path) -> None:
    """Given a template in which a value has markup -> it is escaped, whatever the file's suffix."""
    app = client_of(make_console(tmp_path)).application
    assert app.jinja_env.from_string("{{ value }}").render(value="<b>") == "&lt;b&gt;"
    assert "&lt;b&gt;" in client_of(make_console(tmp_path)).get("/jobs/<b>").text
