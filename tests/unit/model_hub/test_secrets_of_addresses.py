"""Signatures, tokens and passwords in the address of a model: used to fetch it, and never shown or recorded."""

import base64
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import urllib3

from image_classifier import artifacts
from image_classifier.cli import stage_backbone
from image_classifier.contract.errors import ExplainedError, PlatformError, UserError
from image_classifier.model_hub import download_http, mirror, packages
from tests.support.web_servers import in_a_thread

SECRET = "hunter2secret"
Answer = Callable[[BaseHTTPRequestHandler], tuple[int, dict[str, str], bytes]]


@dataclass
class Server:
    """A web server on loopback; `answer` may be replaced."""

    answer: Answer
    port: int = 0
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path with its query, and the Authorization header, of every request."""

    def at(self, user_info: str = "", rest: str = "/m/1") -> str:
        """Return an address of it."""
        return f"http://{user_info}127.0.0.1:{self.port}{rest}"


@pytest.fixture
def server(hub_archive: bytes) -> Iterator[Server]:
    """A server that sends the model for any path."""
    found = Server(lambda _: (200, {}, hub_archive))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append((self.path, self.headers.get("Authorization")))
            status, headers, body = found.answer(self)
            self.send_response_only(status, headers.pop("reason", None))
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = listener.server_port
    with in_a_thread(listener):
        yield found


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing has been fetched before, no proxy is asked, and nothing waits between two attempts."""
    for name in ("TFHUB_CACHE_DIR", "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(packages.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(download_http, "FIRST_PAUSE_SECONDS", 0)
    return tmp_path / "cache"


def everything_in(folder: Path) -> bytes:
    """Return the names and the content of all files below a folder, one after the other."""
    return b"".join(str(path).encode() + path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("user_info", "rest"),
    [
        ("", f"/m/1?X-Amz-Signature={SECRET}&X-Amz-Expires=900"),
        (f"user:{SECRET}@", "/m/1"),
        (f"{SECRET}@", f"/m/1?token={SECRET}#{SECRET}"),
    ],
)
def test_secret_is_neither_printed_nor_recorded(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], user_info: str, rest: str
) -> None:
    """A model from an address with a secret -> the server gets it, and no output, archive or cache has it."""
    output = tmp_path / "out.tar.gz"
    assert stage_backbone.main([server.at(user_info, rest), "--output", str(output)]) == 0
    path, authorization = server.asked[0]
    assert SECRET in path + base64.b64decode((authorization or "Basic ").removeprefix("Basic ")).decode()
    said = capsys.readouterr()
    assert f"Source: {server.at()}" in said.out
    assert SECRET not in said.out + said.err
    with tarfile.open(output) as tar:
        file = tar.extractfile(artifacts.MODEL_INFO_FILE)
        assert file is not None
        assert json.loads(file.read())["source"] == server.at()
    assert SECRET.encode() not in everything_in(tmp_path / "cache")


REJECTED: dict[str, Answer] = {
    "absent": lambda _: (404, {}, b""),
    "quoted by the server": lambda asked: (403, {"reason": f"no {asked.path} for you"}, b""),
    "quoted by a busy server": lambda asked: (503, {"reason": f"later {asked.path}"}, b""),
    "no archive": lambda _: (200, {}, b"rubbish"),
    "no HTTP": lambda asked: (200, {"Content-Length ": "x"}, b""),
    "cut": lambda _: (200, {"ETag": '"1"', "Content-Length": "9"}, b"half"),
}


@pytest.mark.parametrize("answer", REJECTED)
def test_secret_is_in_no_error(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: str) -> None:
    """A server that rejects, repeats the request in its words, or sends something else -> no secret anywhere."""
    server.answer = REJECTED[answer]
    address = server.at(f"user:{SECRET}@", f"/m/1?X-Amz-Signature={SECRET}")
    stage_backbone.main([address, "--output", str(tmp_path / "out.tar.gz")])
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    assert SECRET.encode() not in everything_in(tmp_path / "cache")


@pytest.mark.parametrize(
    "address",
    [
        *(f"https://user:{SECRET}@host:port/m", f"https://host/m a?sig={SECRET}", f"https://hösß/m?sig={SECRET}\n"),
        *(f"http://host/m?sig={SECRET}", f"ftp://user:{SECRET}@host/m", f"https:/host/m?sig={SECRET}"),
        *(f"s3://bucket/key?X-Amz-Signature={SECRET}", f"s3://user:{SECRET}@bucket/key"),
        *(f"https://[::1/m?sig={SECRET}", f"host/m?X-Amz-Signature={SECRET}"),
        f"http://127.0.0.1:80@host/m?sig={SECRET}",
    ],
)
def test_secret_of_an_address_that_cannot_be_asked_is_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invalid address, another scheme, one that is mistyped -> exit 1 and a sentence without the secret."""
    for name, value in {"AWS_ENDPOINT_URL": f"http://user:{SECRET}@127.0.0.1:9", "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    code = stage_backbone.main([address, "--anonymous", "--output", str(tmp_path / "out.tar.gz")])
    said = capsys.readouterr()
    assert code == 1
    assert "Error: " in said.err
    assert f"={SECRET}" not in said.out + said.err
    assert f":{SECRET}@" not in said.out + said.err


def test_errors_are_not_chained_to_what_quotes_the_address(server: Server, tmp_path: Path) -> None:
    """A rejection -> an exception without a cause that a traceback would show."""
    server.answer = REJECTED["quoted by the server"]
    with pytest.raises(ExplainedError) as rejected:
        download_http.fetch(server.at(rest=f"/m?sig={SECRET}"), tmp_path / "file")
    assert rejected.value.__cause__ is None
    assert SECRET not in str(rejected.value)


def test_proxy_with_a_password_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Proxies of the environment that do not answer or cannot be read -> a sentence without their password."""
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    for proxy in (f"http://user:{SECRET}@127.0.0.1:9", f"http://user:{SECRET}@127.0.0.1:port", f"user:{SECRET}@"):
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("https_proxy", proxy)
        with pytest.raises((UserError, PlatformError)) as error:
            download_http.fetch("https://host.invalid/m", tmp_path / "file")
        assert SECRET not in str(error.value) + capsys.readouterr().out


@pytest.fixture
def plain_https(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests to https:// addresses are sent unencrypted."""
    monkeypatch.setitem(urllib3.poolmanager.pool_classes_by_scheme, "https", urllib3.HTTPConnectionPool)


@pytest.mark.parametrize("to", ["http", "ftp"])
@pytest.mark.usefixtures("plain_https")
def test_redirect_to_what_is_not_secure_is_not_followed(server: Server, tmp_path: Path, to: str) -> None:
    """Given an https address that redirects to http or ftp -> UserError with the target, which gets no request."""
    server.answer = lambda _: (302, {"Location": f"{to}://127.0.0.1:{server.port}/there?sig={SECRET}"}, b"")
    with pytest.raises(UserError, match=rf"redirects to {to}://127\.0\.0\.1:\d+/there, which is not prot") as error:
        download_http.fetch(server.at().replace("http:", "https:"), tmp_path / "file")
    assert SECRET not in str(error.value)
    assert [path for path, _ in server.asked] == ["/m/1"]


@pytest.mark.usefixtures("plain_https")
def test_redirect_to_https_gets_no_password(server: Server, tmp_path: Path) -> None:
    """An https address with a password that leads to another https address -> followed, without the password."""

    def answer(asked: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        if asked.path == "/there":
            return 200, {}, b"content"
        return 302, {"Location": f"https://127.0.0.1:{server.port}/there"}, b""

    server.answer = answer
    address = server.at(f"user:{SECRET}@").replace("http:", "https:")
    download_http.fetch(address, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"content"
    basic = base64.b64encode(f"user:{SECRET}".encode()).decode()
    assert server.asked == [("/m/1", f"Basic {basic}"), ("/there", None)]


def test_failed_download_leaves_nothing(server: Server, tmp_path: Path) -> None:
    """Given an address with a token whose file always ends early -> PlatformError, and no file is left."""
    server.answer = REJECTED["cut"]
    with pytest.raises(PlatformError, match="4 attempts in a row"):
        download_http.fetch(server.at(rest=f"/m?token={SECRET}"), tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_token_of_a_mirror_stays_a_query() -> None:
    """A mirror's address with a query -> the handle's path before it."""
    found = mirror.address("https://user:p@mirror/hub/?token=a", "https://tfhub.dev/google/bit/1")
    assert found == "https://user:p@mirror/hub/google/bit/1?token=a"


def test_model_info_is_written_without_secrets(tmp_path: Path) -> None:
    """A model info with addresses in a hyperparameter and an extra entry -> all of them are cut."""
    info = artifacts.ModelInfo(
        source=f"https://user:{SECRET}@host/m?sig={SECRET}",
        hyperparameters={"model_uri": f"s3://bucket/key?X-Amz-Signature={SECRET}", "epochs": 1},
        extra={"parents": [{"source": f"https://host/m?sig={SECRET}"}]},
    )
    artifacts.write_model_info(tmp_path, info)
    assert SECRET not in (tmp_path / artifacts.MODEL_INFO_FILE).read_text()
    assert artifacts.read_model_info(tmp_path).hyperparameters == {"model_uri": "s3://bucket/key", "epochs": 1}


def test_secret_in_an_older_model_info_is_not_read() -> None:
    """A model info that an earlier version wrote with signatures -> none of them is read."""
    uri = f"s3://bucket/key?X-Amz-Signature={SECRET}"
    written = {"source": f"https://host/m?sig={SECRET}", "hyperparameters": {"model_uri": uri}, "parents": [uri]}
    found = artifacts.parse_model_info(written, "here")
    assert found.source == "https://host/m"
    assert found.hyperparameters == {"model_uri": "s3://bucket/key"}
    assert found.extra == {"parents": ["s3://bucket/key"]}
