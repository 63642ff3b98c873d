from pathlib import Path

import pytest

from image_classifier.console.security import Access
from tests.support.consoles import ACCESS, HOST, ORIGIN, client_of, make_console

OTHER = "https://evil.example"


def test_page_without_the_cookie_asks_for_the_address_with_the_token(tmp_path: Path) -> None:
    """Given a browser that was never admitted -> 403 and a page that says where the address stands."""
    answer = client_of(make_console(tmp_path), admitted=False).get("/jobs")
    assert answer.status_code == 403
    assert "scripts/console" in answer.text
    assert "Set-Cookie" not in answer.headers


def test_token_is_exchanged_for_a_cookie(tmp_path: Path) -> None:
    """Given the opening address -> a strict cookie that scripts cannot read, and a page that leads on without it."""
    client = client_of(make_console(tmp_path), admitted=False)
    answer = client.get(f"/data?token={ACCESS.token}&page=2")
    cookie = answer.headers["Set-Cookie"]
    assert all(attribute in cookie for attribute in ("HttpOnly", "SameSite=Strict", "Path=/"))
    assert 'content="0; url=./data?page=2"' in answer.text
    assert ACCESS.token not in answer.text
    assert client.get("/data").status_code == 200


@pytest.mark.parametrize("token", ["", "wrong", "é" * 9, ACCESS.session])
def test_wrong_token_admits_no_browser(token: str, tmp_path: Path) -> None:
    """Given an address with another token -> 403, no cookie, and the page says that it is an earlier start's."""
    answer = client_of(make_console(tmp_path), admitted=False).get("/", query_string={"token": token})
    assert answer.status_code == 403
    assert "earlier start" in answer.text
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "192.168.1.7:8000"])
def test_name_that_was_made_to_resolve_to_this_machine_is_rejected(host: str, tmp_path: Path) -> None:
    """Given the Host of another site, as with DNS rebinding, and the right cookie -> 403, and nothing is shown."""
    answer = client_of(make_console(tmp_path)).get("/jobs", headers={"Host": host})
    assert answer.status_code == 403
    assert "does not know" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": OTHER},
        {"Origin": "null"},
        {"Origin": f"http://{HOST}:3000"},
        {"Origin": f"{ORIGIN['Origin']}.evil.example"},
        {**ORIGIN, "Sec-Fetch-Site": "cross-site"},
        {**ORIGIN, "Sec-Fetch-Site": "same-site"},
        {"Origin": ""},
    ],
)
def test_forms_of_other_pages_change_nothing(headers: dict[str, str], tmp_path: Path) -> None:
    """Given a POST that is not from a page of this console, with its cookie -> 403 before the screen sees it."""
    answer = client_of(make_console(tmp_path)).post("/jobs", headers=headers)
    assert answer.status_code == 403
    assert "Nothing was changed" in answer.text


def test_forms_of_own_pages_pass(tmp_path: Path) -> None:
    """Given a POST from a page of this console -> it reaches the routes, which have none for it: 405."""
    client = client_of(make_console(tmp_path))
    assert client.post("/models", headers={**ORIGIN, "Sec-Fetch-Site": "same-origin"}).status_code == 405
    assert client.post("/models").status_code == 405


def test_pages_are_confined(tmp_path: Path) -> None:
    """Given any page, also that of a rejection -> no inline script or style, no frame, no foreign address."""
    client = client_of(make_console(tmp_path))
    for answer in (client.get("/jobs"), client.get("/jobs", headers={"Host": "evil.example"}), client.get("/nothing")):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert " style=" not in answer.text
        assert "<script>" not in answer.text
        assert "http://" not in answer.text.replace("http://www.w3.org", "")


@pytest.mark.parametrize(
    ("bound", "hosts", "authority", "allowed"),
    [
        ("127.0.0.1", (), "127.0.0.1:8000", True),
        ("127.0.0.1", (), "LOCALHOST:8000", True),
        ("127.0.0.1", (), "[::1]:8000", True),
        ("127.0.0.1", (), "", False),
        ("127.0.0.1", ("hub.example",), "hub.example", True),
        ("192.168.1.7", (), "192.168.1.7:8000", True),
        ("192.168.1.7", (), "192.168.1.8:8000", False),
        ("0.0.0.0", (), "192.168.1.7:8000", True),
        ("0.0.0.0", (), "laptop.local:8000", False),
        ("0.0.0.0", (), "0.0.0.0.evil.example", False),
        ("::", (), "[fe80::1]:8000", True),
    ],
)
def test_hosts_that_are_known(bound: str, hosts: tuple[str, ...], authority: str, allowed: bool) -> None:
    """Given the bound address -> loopback, that address and the named hosts; any address, but no name, if unbound."""
    assert Access("t", "s", bound, hosts).allows_host(authority) is allowed


def test_origin_behind_a_proxy_counts_by_its_name() -> None:
    """Given a proxy that changes Host -> pages of the named host are the console's own, those of others are not."""
    access = Access("t", "s", hosts=("hub.example",))
    assert access.allows_origin("https://hub.example", "127.0.0.1:8000")
    assert not access.allows_origin("https://evil.example", "127.0.0.1:8000")
