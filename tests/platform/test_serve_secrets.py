import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.platform.serving import Server
from tests.support import tiny_models

WORD = "sesame"


def image_with_a_word() -> bytes:
    """Return an image that contains the word as text."""
    text, file = PngInfo(), io.BytesIO()
    text.add_text("Comment", WORD * 5)
    Image.new("RGB", (64, 48), (30, 200, 40)).save(file, "PNG", pnginfo=text)
    return file.getvalue()


def test_nothing_of_requests_and_environment_is_logged(start: Callable[..., Server], tmp_path: Path) -> None:
    """Given a word in images, texts, headers and environment, at the most verbose level -> it is not in the log."""
    tiny_models.write(tmp_path / "model", "tiny")
    secrets = {"AWS_SECRET_ACCESS_KEY": WORD, "SESAME_KEY": WORD, "GUNICORN_SECRET": WORD}
    server = start(tmp_path, SAGEMAKER_CONTAINER_LOG_LEVEL="10", **secrets)
    server.wait_until_ready()
    image = image_with_a_word()
    coded = base64.b64encode(image).decode()
    headers = {"X_Amzn_SageMaker_Custom_Attributes": WORD, "Authorization": WORD, "Cookie": WORD}
    assert server.classify(image, **headers).status == 200
    assert server.ask("/invocations", image, Content_Type="text/plain", **headers).status == 200
    assert server.classify(image[:-40], **headers).status == 400
    assert server.classify(WORD.encode(), **headers).status == 400
    for document in ({"instances": [{"b64": coded}]}, {"instances": [{"b64": f"?{coded}"}]}, {WORD: WORD}):
        server.ask("/invocations", json.dumps(document), Content_Type="application/json", **headers)
    assert server.ask("/invocations", WORD, Content_Type="application/json", **headers).status == 400
    server.process.terminate()
    assert server.end() == 0
    log = server.log().lower()
    assert f"port {server.port}" in log
    for secret in (WORD, coded[:24].lower(), repr(image[:12])[2:-1].lower()):
        assert secret not in log


def test_a_rejected_start_reveals_no_environment(start: Callable[..., Server], tmp_path: Path) -> None:
    """Given no model, and an invalid setting -> one line each, without the word in other variables."""
    for variables in ({}, {"SERVE_ENGINE": "onnx"}):
        server = start(tmp_path, AWS_SECRET_ACCESS_KEY=WORD, SAGEMAKER_CONTAINER_LOG_LEVEL="10", **variables)
        assert server.end(30) == 1
        assert len(server.log().splitlines()) == 1
        assert WORD not in server.log()
