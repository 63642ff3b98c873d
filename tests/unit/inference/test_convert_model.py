"""The command that adds an IR to a model folder or an archive."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from image_classifier import PROGRAM, archives, artifact_checksums, artifacts, own_files
from image_classifier.cli import convert_model
from image_classifier.contract.errors import UserError
from image_classifier.inference.predictor import Predictor
from tests.unit.inference import colours


@pytest.fixture
def model(colour_model: Callable[[str], Path], tmp_path: Path) -> Path:
    """A model folder without an IR."""
    return Path(shutil.copytree(colour_model("called"), tmp_path / "model"))


@pytest.fixture
def archive(model: Path, tmp_path: Path) -> Path:
    """The same model as an archive."""
    path = tmp_path / "model.tar.gz"
    archives.pack(model, path)
    return path


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Run the command; returns its exit code and what it printed."""
    code = convert_model.main([str(word) for word in words])
    return code, *capsys.readouterr()


def test_folder_gets_an_ir(model: Path, halves: NDArray[np.uint8], capsys: pytest.CaptureFixture[str]) -> None:
    """Given a model folder -> exit 0, one line with the results on synthetic images, and it is served."""
    code, said, complained = run(capsys, model)
    assert (code, complained) == (0, "")
    assert said.startswith(f"{model} has an OpenVINO IR now. On 50 synthetic images (--images DIR takes real ones) ")
    assert len(said.splitlines()) == 1
    predictor = Predictor.load(model)
    assert predictor.engine.name == "openvino"
    assert [found.predicted_label for found in predictor.classify(halves)] == list(colours.LABELS)


def test_archive_gets_an_ir_in_place(
    archive: Path, tmp_path: Path, halves: NDArray[np.uint8], capsys: pytest.CaptureFixture[str]
) -> None:
    """An archive -> everything that was in it and the IR, under the same name, and no other file beside it."""
    archives.unpack(archive, tmp_path / "before")
    beside = sorted(path.name for path in tmp_path.iterdir())
    assert run(capsys, archive)[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == beside
    archives.unpack(archive, tmp_path / "after")
    assert artifact_checksums.folder_sha256(tmp_path / "after" / "1") == artifact_checksums.folder_sha256(
        tmp_path / "before" / "1"
    )
    assert Predictor.load(tmp_path / "after").engine.name == "openvino"


def test_images_are_the_ones_that_were_given(
    model: Path, tmp_path: Path, halves: NDArray[np.uint8], capsys: pytest.CaptureFixture[str]
) -> None:
    """Three images in a subfolder beside a text -> both engines are asked about these three."""
    folder = tmp_path / "images" / "some"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("no image")
    for index, pixels in enumerate(halves):
        Image.fromarray(pixels).save(folder / f"{index}.png")
    code, said, _ = run(capsys, model, "--images", tmp_path / "images")
    assert code == 0
    assert f"On 3 images of {tmp_path / 'images'} its probabilities differ" in said
    info = artifacts.read_model_info(model)
    assert (info.extra["openvino"]["images"], info.extra["openvino"]["synthetic"]) == (3, False)


def test_folder_without_images_is_rejected(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder with a text alone, and one that is not there -> exit 1 and one sentence; no IR."""
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "notes.txt").write_text("no image")
    code, _, complained = run(capsys, model, "--images", tmp_path / "texts")
    assert code == 1
    assert complained == (
        f"UserError: {tmp_path / 'texts'} holds no image among 1 files. Give another folder, or leave it out.\n"
    )
    assert run(capsys, model, "--images", tmp_path / "absent")[0] == 1
    assert not (model / "openvino").exists()


def test_archive_that_cannot_be_converted_is_as_it_was(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Archives of a backbone, of a model with NaN, cut off -> exit 1, one sentence with the archive, same bytes."""
    broken = colours.save(tmp_path / "nan", sharpness=float("nan"))
    archives.pack(broken, tmp_path / "nan.tar.gz")
    info = artifacts.read_model_info(model)
    artifacts.write_model_info(model, artifacts.ModelInfo(image_size=info.image_size, output="features"))
    archives.pack(model, tmp_path / "backbone.tar.gz")
    (tmp_path / "cut.tar.gz").write_bytes((tmp_path / "nan.tar.gz").read_bytes()[:3000])
    for name, message in (
        ("backbone", "is a backbone"),
        ("nan", "gets no OpenVINO IR: "),
        ("cut", "not a complete"),
    ):
        path = tmp_path / f"{name}.tar.gz"
        before = path.read_bytes()
        code, said, complained = run(capsys, path)
        assert (code, said) == (1, "")
        assert complained.startswith(f"UserError: {path} ")
        assert message in complained
        assert len(complained.splitlines()) == 1
        assert path.read_bytes() == before


def test_missing_model_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path where nothing lies -> exit 1 and one sentence."""
    code, _, complained = run(capsys, tmp_path / "absent")
    assert (code, complained.splitlines()) == (
        1,
        [f"UserError: The model {tmp_path / 'absent'} does not exist. Give a model folder or a .tar.gz of one."],
    )


def test_ir_of_another_program_is_kept(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder openvino/ that the model info does not record -> exit 1, and every file as it was."""
    (model / "openvino").mkdir()
    (model / "openvino" / "model.xml").write_text("mine")
    before = artifact_checksums.folder_sha256(model)
    code, _, complained = run(capsys, model)
    assert code == 1
    assert f"{model}/openvino is not in the model info, so this program did not write it" in complained
    assert artifact_checksums.folder_sha256(model) == before


def test_file_beside_the_ir_is_kept(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A converted model with a file of the user's in openvino/ -> exit 1 with its name, and every file as it was."""
    assert run(capsys, model)[0] == 0
    (model / "openvino" / "notes.txt").write_text("mine")
    before = artifact_checksums.folder_sha256(model)
    code, _, complained = run(capsys, model)
    assert code == 1
    assert "openvino holds notes.txt" in complained
    assert artifact_checksums.folder_sha256(model) == before


def test_link_in_the_place_of_the_ir_is_not_followed(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A link called openvino -> exit 1, and the folder that it leads to is as it was."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.xml").write_text("mine")
    (model / "openvino").symlink_to(tmp_path / "mine")
    code, _, complained = run(capsys, model)
    assert code == 1
    assert "openvino is a link" in complained
    assert (tmp_path / "mine" / "model.xml").read_text() == "mine"


def test_archive_by_a_link_stays_a_link(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A link to an archive -> the archive gets the IR, and the link is still one."""
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "latest.tar.gz"
    link.symlink_to(archive)
    assert run(capsys, link)[0] == 0
    assert link.is_symlink()
    archives.unpack(archive, tmp_path / "after")
    assert (tmp_path / "after" / "openvino" / "model.xml").is_file()


@pytest.mark.parametrize("form", ["folder", "wrapped folder", "archive"])
def test_second_command_on_one_model_is_rejected(
    form: str, model: Path, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given a model that another process is converting -> exit 1, one sentence, and every file as it was."""
    path = archive if form == "archive" else model
    given = path.parent if form == "wrapped folder" else path
    before = artifact_checksums.folder_sha256(path.parent)
    with own_files.changed_alone(path, "scripts/convert-model"):
        code, said, complained = run(capsys, given)
    assert (code, said) == (1, "")
    assert complained.splitlines() == [
        f"UserError: Another scripts/convert-model is changing {path}. Nothing was changed here. Wait for it, and run "
        "the command again."
    ]
    assert artifact_checksums.folder_sha256(path.parent) == before


def test_killed_command_leaves_no_lock(model: Path) -> None:
    """Given a process that is killed while it converts a model -> the next one gets the lock at once."""
    waits = (
        "import sys; from pathlib import Path; from image_classifier import own_files\n"
        "with own_files.changed_alone(Path(sys.argv[1]), 'scripts/convert-model'): print('locked', flush=True); input()"
    )
    command = [sys.executable, "-c", waits, str(model)]
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout
        assert process.stdout.readline() == b"locked\n"
        with pytest.raises(UserError, match="is changing"), own_files.changed_alone(model, "scripts/convert-model"):
            pass
        process.kill()
        process.wait()
        with own_files.changed_alone(model, "scripts/convert-model"):
            pass


def test_lock_is_that_of_the_file_that_lies_there(archive: Path) -> None:
    """Given an archive that is replaced while it is locked -> the next one locks the new file, and excludes others."""
    with own_files.changed_alone(archive, "scripts/convert-model"):
        copy = archive.with_name("copy")
        copy.write_bytes(archive.read_bytes())
        copy.replace(archive)
        with (
            own_files.changed_alone(archive, "scripts/convert-model"),
            pytest.raises(UserError, match="is changing"),
            own_files.changed_alone(archive, "scripts/convert-model"),
        ):
            pass
