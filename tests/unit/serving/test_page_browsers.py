"""What browsers may send to a server with the page, and what machines may."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from image_classifier.serving import settings

X_IMAGE = {"Content-Type": "application/x-image"}
NAVIGATION = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture
def page(client_of: Callable[..., FlaskClient]) -> FlaskClient:
    """A client of a server with the page that is bound to a name, and allows another one."""
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
def test_other_sites_are_rejected(page: FlaskClient, green: bytes, headers: dict[str, str]) -> None:
    """An image that another site makes a browser send -> 403 in JSON; so its other paths, the numbers included."""
    answer = page.post("/invocations", data=green, headers={**X_IMAGE, **headers})
    assert (answer.status_code, answer.get_json()["error"]) == (403, "cross_site")
    assert page.get("/metrics", headers=headers).status_code == 403
    assert page.get("/page/facts", headers=headers).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://proxy.example"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost"},
    ],
)
def test_the_page_itself_and_machines_are_served(page: FlaskClient, green: bytes, headers: dict[str, str]) -> None:
    """An image from the page, also behind a proxy, from an address bar and from a machine -> answered."""
    assert page.post("/invocations", data=green, headers={**X_IMAGE, **headers}).status_code == 200


def test_link_to_the_page_works(page: FlaskClient) -> None:
    """A link on another site -> the page; the same as an image or a script of that site -> 403."""
    assert page.get("/", headers=NAVIGATION).status_code == 200
    assert page.get("/", headers={**NAVIGATION, "Sec-Fetch-Dest": "iframe"}).status_code == 403
    assert page.get("/", headers={**NAVIGATION, "Sec-Fetch-Mode": "no-cors"}).status_code == 403


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080", "[::1]", "bound.example", "more.example:1"]
)
def test_names_of_this_machine_are_served(page: FlaskClient, host: str) -> None:
    """The names of this machine, the bound one and one that was added, with and without port -> answered."""
    assert page.get("/page/facts", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "localhost.evil.example", "169.254.169.254", "[::2]:80", "0.0.0.0"]
)
def test_other_names_are_rejected(page: FlaskClient, host: str) -> None:
    """A name that leads here for once (DNS rebinding) -> 403 with what is allowed; /ping is answered under any name."""
    answer = page.get("/page/facts", headers={"Host": host})
    assert (answer.status_code, answer.get_json()["error"]) == (403, "host_not_allowed")
    assert "bound.example, localhost, more.example" in answer.get_json()["message"]
    assert page.get("/ping", headers={"Host": host}).status_code == 200


def test_all_names_can_be_allowed(client_of: Callable[..., FlaskClient]) -> None:
    """SERVE_ALLOWED_HOSTS=* -> any name is answered."""
    chosen = settings.read({"SERVE_PAGE": "true", "SERVE_ALLOWED_HOSTS": " Some.Example, *"})
    assert chosen.allowed_hosts == ("some.example", "*")
    client = client_of(page=True, allowed_hosts=chosen.allowed_hosts)
    assert client.get("/page/facts", headers={"Host": "evil.example"}).status_code == 200


def test_server_without_the_page_is_not_concerned(client: FlaskClient, green: bytes) -> None:
    """A server as in the image, asked under any name -> answered, as the platform asks it."""
    headers = {**X_IMAGE, "Host": "model.aws.local:8080", "Sec-Fetch-Site": "cross-site"}
    assert client.post("/invocations", data=green, headers=headers).status_code == 200
