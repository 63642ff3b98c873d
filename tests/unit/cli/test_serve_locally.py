"""Serving on a laptop: the tree and the port."""

import socket
from pathlib import Path

import pytest

from image_classifier import archives
from image_classifier.cli import serve_locally
from image_classifier.contract.errors import UserError
from image_classifier.runners import local_server


def test_folder_is_linked_and_archive_unpacked(tmp_path: Path) -> None:
    """Given a model folder and an archive of it -> both lie where an endpoint finds its model."""
    (tmp_path / "given" / "1").mkdir(parents=True)
    (tmp_path / "given" / "1" / "saved_model.pb").write_bytes(b"graph")
    archives.pack(tmp_path / "given", tmp_path / "model.tar.gz")
    linked = local_server.build_tree(tmp_path / "given", tmp_path / "a")
    unpacked = local_server.build_tree(tmp_path / "model.tar.gz", tmp_path / "b")
    for tree in (linked, unpacked):
        assert (tree.model_dir / "1" / "saved_model.pb").read_bytes() == b"graph"
    assert linked.model_dir.is_symlink()
    assert not unpacked.model_dir.is_symlink()


def test_taken_and_impossible_ports_are_rejected() -> None:
    """Given a port in use and an invalid one -> rejected with the option; given a free one -> accepted."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        for port in (taken, 70_000):
            with pytest.raises(UserError, match=f"Port {port} cannot be used.*--port"):
                local_server.reject_port_in_use(port)
    local_server.reject_port_in_use(taken)
    assert taken > 0


def test_server_listens_on_this_machine_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an environment that names all interfaces -> the server still binds to 127.0.0.1."""
    (tmp_path / "model" / "1").mkdir(parents=True)
    (tmp_path / "model" / "1" / "saved_model.pb").write_bytes(b"graph")
    told = tmp_path / "told"
    program = f"import os, pathlib; pathlib.Path({str(told)!r}).write_text(os.environ['SERVE_HOST'])"
    (tmp_path / "serve").write_text(program)
    monkeypatch.setattr(serve_locally, "PROGRAM", tmp_path)
    monkeypatch.setenv("SERVE_HOST", "0.0.0.0")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert serve_locally.serve(tmp_path / "model", port) == 0
    assert told.read_text() == "127.0.0.1"


def test_model_is_only_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a served model folder -> its files are unchanged after the temporary tree was removed."""
    (tmp_path / "model" / "1").mkdir(parents=True)
    (tmp_path / "model" / "1" / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "serve").write_text("")
    monkeypatch.setattr(serve_locally, "PROGRAM", tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serve_locally.serve(tmp_path / "model", port)
    assert (tmp_path / "model" / "1" / "saved_model.pb").read_bytes() == b"graph"
