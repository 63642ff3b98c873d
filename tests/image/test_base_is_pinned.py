import shutil
import subprocess
from pathlib import Path

from tests.image.conftest import PROJECT
from tests.image.containers import docker
from tests.image.registry import import_small_image, serve_registry


def lock_base(tree: Path, image: str) -> "subprocess.CompletedProcess[str]":
    """Run `scripts/lock --base` in a copy of the files that it needs."""
    for name in ("scripts/lock", "Dockerfile"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, tree / name)
    command = [str(tree / "scripts" / "lock"), "--base", image]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_dockerfile_gets_the_digest_that_the_registry_has(tmp_path: Path) -> None:
    """Given a base in a registry -> the Dockerfile names it with its digest, by which the engine finds it again."""
    tree, folder = tmp_path / "tree", tmp_path / "registry"
    folder.mkdir()
    with serve_registry(folder) as host:
        base = f"{host}/debian:13-slim"
        import_small_image(tmp_path, base)
        try:
            docker("push", base)
            done = lock_base(tree, base)
            assert done.returncode == 0, done.stderr
            line = (tree / "Dockerfile").read_text(encoding="utf-8").partition("ARG BASE_IMAGE=")[2].splitlines()[0]
            assert line.startswith(f"{base}@sha256:")
            docker("image", "inspect", line)
        finally:
            docker("image", "rm", "--force", base)


def test_nothing_is_written_without_a_registry(tmp_path: Path) -> None:
    """Given a registry that does not answer -> the command fails, and the Dockerfile is as it was."""
    done = lock_base(tmp_path, "127.0.0.1:9/debian:13-slim")
    assert done.returncode != 0
    assert (tmp_path / "Dockerfile").read_bytes() == (PROJECT / "Dockerfile").read_bytes()
