"""Behind a notebook's proxy, which shows the console below a path: nothing on any page leads out of it."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.test import Client, TestResponse

from image_classifier.console.app import create_app
from image_classifier.console.context import Console
from image_classifier.console.datasets import known
from image_classifier.console.screens import NAVIGATION, result_frame
from image_classifier.console.security import Access
from image_classifier.runners.experiment import Experiment
from tests.support.consoles import make_console
from tests.support.html_page import Page
from tests.support.notebook_proxy import NotebookProxy
from tests.support.try_jobs import FinishedJobs
from tests.unit.console.judging import judged_jobs

HOST, NAME = "https://notebook.example.com", "notebook.example.com"
PREFIX = "/user/ada/proxy/8000"
BASE = f"{HOST}{PREFIX}/"
ACCESS = Access("the-token", "the-session", hosts=(NAME,))
LINKS = ("href", "src")
OTHERS = ("action", "formaction", "data-events", "data-rows", "data-thumbnails", "data-prepare", "data-folder")
"""Attributes that hold addresses which are asked with a form or by a script."""
OF_A_KIND = 3
"""Pages of a route that are opened: the first images, classes and models stand for the others."""


@dataclass(frozen=True)
class Notebook:
    """A browser that opens a console by the notebook's address."""

    app: Flask
    proxy: NotebookProxy
    client: Client

    def get(self, address: str) -> TestResponse:
        """Open an address."""
        return self.client.get(address.removeprefix(HOST), base_url=HOST, buffered=True)

    def post(self, address: str, origin: str = HOST, **data: str) -> TestResponse:
        """Send a form of a page of `origin`."""
        return self.client.post(address.removeprefix(HOST), base_url=HOST, data=data, headers={"Origin": origin})

    def kind(self, address: str) -> tuple[str, str]:
        """Return what an address leads to: a route, and its tab where it has some; empty for what is not a page."""
        path = urlsplit(address).path.removeprefix(PREFIX)
        try:
            endpoint, values = self.app.url_map.bind(NAME).match(path, "GET")
        except HTTPException:
            return "", ""
        return endpoint, str(values.get("tab", ""))


def notebook(console: Console, access: Access = ACCESS) -> Notebook:
    """Return a browser of a console behind a notebook's proxy, not yet admitted."""
    app = create_app(console, access)
    proxy = NotebookProxy(app.wsgi_app, PREFIX)
    return Notebook(app, proxy, Client(proxy))


@pytest.fixture
def console(tmp_path: Path) -> Console:
    """A console with a data set, a job that waits, and a finished one with a result."""
    found = make_console(tmp_path, runners={"local": FinishedJobs()})
    evaluation = judged_jobs.job_on_files(found, tmp_path / "photos", "finished", images=80)
    (found.jobs / "finished" / "model").mkdir()
    channels = {split.name: split.folder for split in evaluation.evidence.splits}
    known.add(found.home, "photos", channels)
    found = make_console(tmp_path, runners={"local": FinishedJobs()})
    found.queue.add(Experiment("waiting", str(channels["training"])))
    return found


def test_every_page_stays_below_the_prefix(console: Console) -> None:
    """Given all pages that links lead to -> each address on them is below the prefix, and each link has its page."""
    found = notebook(console)
    first = f"{BASE}?token={ACCESS.token}"
    left, seen, opened = [first], {first}, Counter[tuple[str, str]]()
    while left:
        address = left.pop(0)
        answer = found.get(address)
        assert answer.status_code in (200, 303), (address, answer.status_code)
        links, others = addresses(answer)
        for target in (*links, *others):
            assert urljoin(address, target).startswith(BASE), f"{target} on {address}"
        for whole in dict.fromkeys(urljoin(address, target).partition("#")[0] for target in links):
            if whole not in seen and opened[kind := found.kind(whole)] < OF_A_KIND:
                seen.add(whole)
                opened[kind] += 1
                left.append(whole)
    assert found.proxy.outside == []
    assert {name for name, _ in opened} >= {entry.endpoint for entry in NAVIGATION}
    assert {tab for _, tab in opened} >= set(result_frame.TABS) - {"compare"}


def addresses(answer: TestResponse) -> tuple[list[str], list[str]]:
    """Return the links of an answer, and the other addresses in it."""
    if "Location" in answer.headers:
        return [answer.headers["Location"]], []
    if answer.mimetype != "text/html":
        return [], []
    elements = Page(answer.text).elements
    refreshes = [one.attributes["content"].partition("url=")[2] for one in elements if "http-equiv" in one.attributes]
    links, others = (
        [one.attributes[name] for one in elements for name in names if name in one.attributes]
        for names in (LINKS, OTHERS)
    )
    return links + refreshes, others


def test_cookie_is_that_of_the_console_alone(console: Console) -> None:
    """Given the opening address -> a cookie that browsers send below the prefix, not to the notebook's other pages."""
    found = notebook(console)
    assert "Path" not in found.get(f"{BASE}?token={ACCESS.token}").headers["Set-Cookie"]
    assert found.client.get_cookie(ACCESS.cookie, NAME, PREFIX) is not None
    assert found.get(f"{BASE}jobs/finished/result/overview").status_code == 200


def test_forms_lead_below_the_prefix(console: Console, tmp_path: Path) -> None:
    """Given a form of the notebook's host -> it is accepted and leads on below the prefix; of another -> 403."""
    found = notebook(console)
    found.get(f"{BASE}?token={ACCESS.token}")
    accepted = found.post(f"{BASE}data", training=str(tmp_path / "photos" / "training"))
    assert accepted.status_code == 303
    assert urljoin(f"{BASE}data", accepted.headers["Location"]).startswith(f"{BASE}data/")
    assert found.post(f"{BASE}data", origin="https://evil.example.com").status_code == 403
    # A redirect of the framework, as from two slashes to one, would be absolute.
    for address, status in ((f"{BASE}nowhere/at/all", 404), (f"{BASE}/jobs", 200)):
        answer = found.get(address)
        assert answer.status_code == status
        assert all(urljoin(address, link).startswith(BASE) for link in addresses(answer)[0])


def test_host_that_was_not_named_is_explained(console: Console) -> None:
    """Given a console that was started without the notebook's name -> 403, and the option that is missing."""
    answer = notebook(console, Access("the-token", "the-session")).get(f"{BASE}?token=the-token")
    assert answer.status_code == 403
    assert "--allow-host" in answer.text
