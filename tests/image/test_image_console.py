"""`docker run IMAGE console`: the web application in the images that train, one sentence in the serve image."""

import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.image.containers import ISOLATED, Start
from tests.support.waiting import free_port, wait_until

_READY = re.compile(r"The console is ready: http://127\.0\.0\.1:8000(/\?token=\S+)")


def test_console_keeps_its_files_in_the_mounted_folder(
    start: Start, published: tuple[str, ...], tmp_path: Path
) -> None:
    """Given the console with a folder at /data -> it is reached by the published port, with the token alone."""
    port = free_port()
    network = published[:2]
    options = (*network, "--publish", f"127.0.0.1:{port}:8000", "--volume", f"{tmp_path}:/data")
    container = start("console", options=options)
    wait_until(lambda: _READY.search(container.log()) is not None, 60, "the console is ready")
    found = _READY.search(container.log())
    assert found is not None
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{found[1]}", timeout=20) as answer:
        assert answer.status == 200
        assert "HttpOnly" in answer.headers["Set-Cookie"]
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/jobs", timeout=20)
    assert (tmp_path / "image-classifier" / "jobs").is_dir()


def test_serve_image_says_where_the_console_is(start: Start, serve_image: str) -> None:
    """Given `console` in the image without TensorFlow -> exit code 1 and one sentence that names the targets."""
    container = start("console", image=serve_image, options=ISOLATED)
    assert container.exit_code(seconds=30) == 1
    assert container.log().splitlines() == [
        "UserError: This image can only serve. Start the console in the target cpu or gpu."
    ]
