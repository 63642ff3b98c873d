"""Requests of browsers and of programs to a server with the web UI."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from image_classifier.serving import settings

X_IMAGE = {"Content-Type": "application/x-image"}
NAVIGATION = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture
def web_ui(client_of: Callable[..., FlaskClient]) -> FlaskClient:
    """A client of a server with the web UI, bound to a host name, with an additional allowed one."""
    return client_of(page=True, host="bound.example", allowed_hosts=("more.example",))


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "Cross-Site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        NAVIGATION,
    ],
)
def test_cross_site_requests_are_rejected(web_ui: FlaskClient, green: bytes, headers: dict[str, str]) -> None:
    """Given an image sent by another site's script -> 403 in JSON, also on other paths such as /metrics."""
    answer = web_ui.post("/invocations", data=green, headers={**X_IMAGE, **headers})
    assert (answer.status_code, answer.get_json()["error"]) == (403, "cross_site")
    assert web_ui.get("/metrics", headers=headers).status_code == 403
    assert web_ui.get("/page/facts", headers=headers).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://proxy.example"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost"},
    ],
)
def test_web_ui_and_programs_are_served(web_ui: FlaskClient, green: bytes, headers: dict[str, str]) -> None:
    """Given an image from the web UI, also behind a proxy, from the address bar, from a program -> answered."""
    assert web_ui.post("/invocations", data=green, headers={**X_IMAGE, **headers}).status_code == 200


def test_link_to_the_web_ui_works(web_ui: FlaskClient) -> None:
    """Given a link on another site -> the web UI; embedded there as an image or a script -> 403."""
    assert web_ui.get("/", headers=NAVIGATION).status_code == 200
    assert web_ui.get("/", headers={**NAVIGATION, "Sec-Fetch-Dest": "iframe"}).status_code == 403
    assert web_ui.get("/", headers={**NAVIGATION, "Sec-Fetch-Mode": "no-cors"}).status_code == 403


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080", "[::1]", "bound.example", "more.example:1"]
)
def test_allowed_hosts_are_served(web_ui: FlaskClient, host: str) -> None:
    """Given this machine's names, the bound one and an added one, with and without port -> answered."""
    assert web_ui.get("/page/facts", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "localhost.evil.example", "169.254.169.254", "[::2]:80", "0.0.0.0"]
)
def test_other_hosts_are_rejected(web_ui: FlaskClient, host: str) -> None:
    """Given a foreign host name (DNS rebinding) -> 403 with the allowed ones; /ping is answered under any name."""
    answer = web_ui.get("/page/facts", headers={"Host": host})
    assert (answer.status_code, answer.get_json()["error"]) == (403, "host_not_allowed")
    assert "bound.example, localhost, more.example" in answer.get_json()["message"]
    assert web_ui.get("/ping", headers={"Host": host}).status_code == 200


def test_all_hosts_can_be_allowed(client_of: Callable[..., FlaskClient]) -> None:
    """Given SERVE_ALLOWED_HOSTS=* -> any host is answered."""
    chosen = settings.read({"SERVE_PAGE": "true", "SERVE_ALLOWED_HOSTS": " Some.Example, *"})
    assert chosen.allowed_hosts == ("some.example", "*")
    client = client_of(page=True, allowed_hosts=chosen.allowed_hosts)
    assert client.get("/page/facts", headers={"Host": "evil.example"}).status_code == 200


def test_server_without_the_web_ui_accepts_any_host(client: FlaskClient, green: bytes) -> None:
    """Given a server without the web UI -> any host is answered, as the platform requires."""
    headers = {**X_IMAGE, "Host": "model.aws.local:8080", "Sec-Fetch-Site": "cross-site"}
    assert client.post("/invocations", data=green, headers=headers).status_code == 200
