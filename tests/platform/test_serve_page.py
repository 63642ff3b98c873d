"""The web UI: off unless asked for, made of its own files alone, and true to the model."""

import html.parser
import json
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

import image_classifier
from image_classifier import artifacts, pages
from image_classifier.pages import try_page
from image_classifier.serving import page as web_ui
from tests.platform import sample_images
from tests.platform.serving import ROOT, Server, running, served_locally, start_server
from tests.support import tiny_models
from tests.support.web_servers import in_a_thread

SOURCES = ROOT / "container" / "image_classifier"
SHARED, OWN, TRY = SOURCES / "pages", SOURCES / "serving" / "page", try_page.STATIC
FILES = {
    **{name: SHARED / name for name in web_ui.SHARED},
    "style.css": OWN / "style.css",
    **{path.name: path for path in TRY.iterdir()},
}
"""Where the files of the web UI lie, by name."""
MARKUP = "<img src=x onerror=alert(1)></script><script>alert(1)</script>"
LABELS = ("red", f"green {MARKUP}", "blue")
CODE = re.compile(r'<pre tabindex="0" aria-label="(.*?)"><code>(.*?)</code>', re.DOTALL)


def make_hostile(folder: Path) -> None:
    """Put markup into every name of a model folder, and nonsense beside the numbers."""
    artifacts.write_labels(folder, LABELS)
    path = folder / artifacts.MODEL_INFO_FILE
    info = json.loads(path.read_text(encoding="utf-8")) | {
        "model_id": MARKUP,
        "source": ["a", "list"],
        "metrics": {"val_accuracy": 0.875, "test_accuracy": float("nan"), "val_top_5_accuracy": MARKUP},
        "versions": {"numpy": MARKUP, "pillow": {"a": "mapping"}},
    }
    path.write_text(json.dumps(info), encoding="utf-8")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the web UI, of a model whose names are markup."""
    tree = tmp_path_factory.mktemp("opt-ml")
    make_hostile(tiny_models.write(tree / "model", "tiny").folder)
    with running(start_server(tree, SERVE_PAGE="true")) as found:
        yield found


@pytest.fixture(scope="module")
def page(server: Server) -> str:
    """The HTML of the web UI."""
    return server.ask("/").body.decode()


@pytest.fixture(scope="module")
def clean_environment() -> dict[str, str]:
    """The environment without proxies, which calls to this machine must not use."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


class Addresses(html.parser.HTMLParser):
    """Collects the URLs that a page makes a browser fetch."""

    def __init__(self, page: str):
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the addresses of a tag."""
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]


def test_web_ui_is_off_by_default(tmp_path: Path, start: Callable[..., Server]) -> None:
    """Given the defaults -> / and the files of the web UI get 404 in JSON, and no sentence mentions it."""
    tiny_models.write(tmp_path / "model", "tiny")
    off = start(tmp_path)
    off.wait_until_ready()
    for path in ("/", "/page/facts", "/page/main.js", "/page/samples/0"):
        answer = off.ask(path)
        assert (answer.status, answer.json["error"]) == (404, "not_found")
        assert "web UI" not in answer.json["message"]
        assert "POST /invocations" in answer.json["message"]
    assert "Server-Timing" not in off.ask("/ping").headers


def test_web_ui_has_a_content_security_policy(server: Server) -> None:
    """Given GET and HEAD of / -> HTML that may load only from this server, without inline scripts or framing."""
    answer, head = server.ask("/"), server.ask("/", method="HEAD")
    assert (answer.status, head.status, head.body) == (200, 200, b"")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert head.headers["Content-Length"] == str(len(answer.body))
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_other_methods_and_files_are_rejected(server: Server) -> None:
    """Given POST, and names outside the folder -> 405 with Allow, 404; JSON that mentions the web UI."""
    rejected = server.ask("/", b"x")
    assert (rejected.status, rejected.json["error"]) == (405, "method_not_allowed")
    assert "GET" in rejected.headers["Allow"]
    for path in ("/page/absent.js", "/page/__init__.py", "/page/..%2fapp.py", "/page/", "/page"):
        missing = server.ask(path)
        assert (missing.status, missing.json["error"]) == (404, "not_found"), path
        assert "GET / is the web UI." in missing.json["message"]


def test_web_ui_loads_only_its_own_files(server: Server, page: str) -> None:
    """Given the web UI and its files -> relative addresses of each other only, each served with its type."""
    named = Addresses(page).found
    for path in FILES.values():
        text = path.read_text(encoding="utf-8") if path.suffix in (".js", ".css") else ""
        named += [f"page/{name}" for name in re.findall(r'from "\./(.*?)"', text)]
        assert not re.search(
            r"https?:|//\w|url\(|@import", re.sub(r"^\s*// .*$|; // .*$", "", text, flags=re.MULTILINE)
        )
    assert set(named) == {f"page/{name}" for name in FILES}
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    for name in named:
        answer = server.ask(f"/{name}")
        assert (answer.status, answer.headers["Content-Type"].split(";")[0]) == (200, kinds[Path(name).suffix])
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_no_inline_code_and_no_markup_from_scripts(page: str) -> None:
    """Given the web UI and its scripts -> no inline script, style or handler, and text never becomes markup."""
    assert re.findall(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=|javascript:", page) == []
    scripts = "".join(path.read_text(encoding="utf-8") for path in TRY.glob("*.js"))
    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|srcdoc", scripts) == []
    )


def test_model_card_has_the_models_facts(server: Server) -> None:
    """Given a model with markup in its names and odd entries -> its facts as JSON, without invalid ones."""
    answer = server.ask("/page/facts")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    found = answer.json
    assert (found["name"], found["class_names"]) == (MARKUP, list(LABELS))
    assert (found["height"], found["width"], found["engine"]) == (24, 32, "openvino")
    assert (found["source"], found["finetuned"]) == (None, False)
    assert found["measures"] == [{"name": "Accuracy on validation images", "value": 0.875}]
    assert found["trained_with"] == [{"name": "numpy", "version": MARKUP}]
    assert found["served_by"][0] == {"name": "image-classifier", "version": image_classifier.__version__}
    assert [entry["name"] for entry in found["served_by"][1:]] == ["openvino", "Python"]


def test_model_cannot_inject_into_the_web_ui(page: str) -> None:
    """Given a model whose names are markup -> the HTML has none of them, nor any class."""
    assert "alert" not in page
    assert [label for label in LABELS if f">{label}<" in page] == []


def test_responses_have_server_timing(server: Server) -> None:
    """Given an image -> a Server-Timing header with the milliseconds of the whole request."""
    found = server.classify(sample_images.encode(sample_images.plain(), "PNG")).headers["Server-Timing"]
    total = re.search(r"\btotal;dur=(\d+\.\d)", found)
    assert total is not None
    assert 0 < float(total[1]) < 60_000


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21, by WCAG 2.2 (relative luminance)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_have_enough_contrast(scheme: int) -> None:
    """Given the colours of a scheme -> a contrast of 4.5 for text, and of 3 for bars and outlines (WCAG AA)."""
    block = re.findall(r":root \{(.*?)\}", pages.text("tokens.css"), re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([\w-]+): (#\w{6});", block))
    tones = ("good", "warn", "bad")
    texts = [(text, ground) for text in ("ink", "ink-2", "ink-3", "accent", "bad") for ground in ("bg", "surface")]
    texts += [("accent-ink", "accent"), ("accent", "accent-soft"), *((tone, f"{tone}-soft") for tone in tones)]
    shapes = [(bar, ground) for bar in ("accent", *tones, "ink-3") for ground in ("surface", "line")]
    assert [pair for pair in texts if contrast(*(colours[name] for name in pair)) < 4.5] == []
    assert [pair for pair in shapes if contrast(*(colours[name] for name in pair)) < 3] == []


def test_samples_are_offered(tmp_path: Path, start: Callable[..., Server]) -> None:
    """Given a folder with 20 images and a text -> twelve are offered, with a label if their folder is a class."""
    model = tiny_models.write(tmp_path / "model", "tiny")
    images = tmp_path / "images"
    for folder in (model.label("red"), "other"):
        (images / folder).mkdir(parents=True)
        for index in range(10):
            (images / folder / f"{index}.jpg").write_bytes(sample_images.encode(sample_images.plain(), "JPEG"))
    (images / "notes.txt").write_text("no image", encoding="utf-8")
    server = start(tmp_path, SERVE_PAGE="true", SERVE_SAMPLES=str(images))
    server.wait_until_ready()
    offered = server.ask("/page/facts").json["samples"]
    assert [entry["label"] for entry in offered] == [None] * 6 + [model.label("red")] * 6
    answer = server.ask(f"/{offered[0]['url']}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/jpeg")
    assert answer.body == (images / "other" / "0.jpg").read_bytes()
    assert server.ask("/page/samples/12").status == 404


@pytest.fixture(scope="module")
def calls(server: Server, page: str) -> dict[str, str]:
    """The example calls of the web UI for this server, by name."""
    return {name: text.replace("{server}", f"http://127.0.0.1:{server.port}/") for name, text in CODE.findall(page)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the image that the calls use; it is green."""
    found = tmp_path_factory.mktemp("calls")
    (found / "image.jpg").write_bytes(sample_images.encode(Image.new("RGB", (64, 48), sample_images.GREEN), "JPEG"))
    return found


def test_curl_call_works(server: Server, calls: dict[str, str], folder: Path) -> None:
    """Given the curl call, split as by a shell -> its headers and body get the label."""
    command, url, *options = shlex.split(calls["curl"].replace("\\\n", ""))
    given = list(zip(options[::2], options[1::2], strict=True))
    headers = {value.split(": ")[0].replace("-", "_"): value.split(": ")[1] for name, value in given if name == "-H"}
    (body,) = (value for name, value in given if name == "--data-binary")
    assert (command, url, body[0]) == ("curl", f"http://127.0.0.1:{server.port}/invocations", "@")
    answer = server.ask("/invocations", (folder / body[1:]).read_bytes(), **headers)
    assert answer.json["predicted_label"] == LABELS[1]


def test_python_call_prints_the_label(calls: dict[str, str], folder: Path, clean_environment: dict[str, str]) -> None:
    """Given the Python call, executed unchanged -> the label."""
    command = [sys.executable, "-c", calls["Python"]]
    done = subprocess.run(command, cwd=folder, env=clean_environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{LABELS[1]}\n", "")


def test_boto3_call_prints_the_label(
    server: Server, calls: dict[str, str], folder: Path, clean_environment: dict[str, str]
) -> None:
    """Given the boto3 call, executed unchanged against a stand-in for the endpoint's API -> the label."""

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            named = {name: self.headers[name.replace("_", "-")] for name in ("Content_Type", "Accept")}
            known = self.path == "/endpoints/ENDPOINT/invocations"
            answer = server.ask("/invocations" if known else "/absent", body, **named)
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *arguments: object) -> None:
            return

    endpoint = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    with in_a_thread(endpoint):
        environment = clean_environment | {
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": f"http://127.0.0.1:{endpoint.server_port}",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
        }
        command = [sys.executable, "-c", calls["boto3"]]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == f"{LABELS[1]}\n", done.stderr


def test_serve_locally_serves_the_web_ui(tmp_path: Path) -> None:
    """Given scripts/serve-locally -> the web UI at the address in its first lines."""
    with served_locally(tiny_models.write(tmp_path, "tiny").folder) as (process, url):
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url.replace("invocations", "")) as found:
            assert b"<title>Image classifier</title>" in found.read()
        assert process.stdout is not None
        # The server's ready line may come before them.
        lines = [process.stdout.readline() for _ in range(3)]
    (first, second) = [line for line in lines if not line.startswith("Ready on port")][:2]
    assert url.removesuffix("/invocations") in first
    assert "Open that address in a browser" in second
