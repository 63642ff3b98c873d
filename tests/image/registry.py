"""Debian's registry of images on loopback, where an engine pushes without a certificate."""

import contextlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.image.containers import docker
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


def import_small_image(folder: Path, name: str, labels: Mapping[str, str] | None = None) -> None:
    """Give the engine an image of one file, which a registry takes in no time; its archive is left in `folder`."""
    archive = folder / "image.tar"
    with tarfile.open(archive, "w") as tar:
        file = tarfile.TarInfo("content")
        file.size = 7
        tar.addfile(file, io.BytesIO(b"content"))
    changes = [word for label, value in (labels or {}).items() for word in ("--change", f"LABEL {label}={value}")]
    docker("import", *changes, archive, name)
