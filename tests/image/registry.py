"""Debian's registry of images on loopback, where an engine pushes without a certificate."""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.waiting import answers, free_port, wait_until


@contextlib.contextmanager
def serve_registry(folder: Path, users: str | None = None) -> Iterator[str]:
    """Yield host and port of an empty registry; `users` is what htpasswd writes for the users that it lets in."""
    host = f"127.0.0.1:{free_port()}"
    settings = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(folder / "pushed")}},
        "http": {"addr": host},
    }
    if users is not None:
        (folder / "users").write_text(f"{users}\n", encoding="utf-8")
        settings["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "users")}}
    # YAML takes JSON.
    (folder / "registry.yml").write_text(json.dumps(settings), encoding="utf-8")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(["docker-registry", "serve", folder / "registry.yml"], stdout=log, stderr=log)
        try:
            wait_until(lambda: answers(f"http://{host}/"), 20, "the registry answers")
            yield host
        finally:
            process.kill()
            process.wait()
