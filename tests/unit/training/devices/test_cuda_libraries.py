"""Libraries opened through TensorFlow's own loader, with real files in place of NVIDIA's."""

import shutil
import sys
from pathlib import Path

import pytest

from image_classifier.training.devices import cuda_libraries
from image_classifier.training.devices.cuda_libraries import LibraryCheck


def test_a_library_on_the_search_path_is_found() -> None:
    """Given a name that the loader knows -> opened, and the file that was opened is named."""
    found = cuda_libraries.open_library("libz.so.1")
    assert found.problem is None
    assert found.path is not None
    assert found.path.is_file()
    assert found.path.name.startswith("libz.so.1")


def test_a_library_that_is_nowhere_is_explained_without_its_name() -> None:
    """Given a name that no folder holds -> the loader's reason, which does not say the name a second time."""
    found = cuda_libraries.open_library("libcunothing.so.7")
    assert found == LibraryCheck(
        "libcunothing.so.7", problem="cannot open shared object file: No such file or directory"
    )


@pytest.mark.parametrize(
    ("content", "reason"), [(b"version https://a-pointer\n" * 9, "invalid ELF header"), (b"", "file too short")]
)
def test_a_damaged_library_is_no_library(tmp_path: Path, content: bytes, reason: str) -> None:
    """Given a file that is not a library -> the loader's reason, not success."""
    library = tmp_path / "libcudnn.so.9"
    library.write_bytes(content)
    found = cuda_libraries.open_library(str(library))
    assert found.path is None
    assert reason in str(found.problem)


def test_a_copy_by_path_is_told_from_the_original(tmp_path: Path) -> None:
    """Given a copy of a real library under a name of its own -> the copy's path is named."""
    original = cuda_libraries.open_library("libz.so.1").path
    assert original is not None
    copy = tmp_path / "libcopied.so.3"
    shutil.copyfile(original, copy)
    assert cuda_libraries.open_library(str(copy)).path == copy


def write_ptxas(folder: Path, text: str) -> Path:
    """Write `bin/ptxas` below a folder."""
    program = folder / "bin" / "ptxas"
    program.parent.mkdir(parents=True)
    program.write_text(text)
    program.chmod(0o755)
    return program


def test_ptxas_is_found_beside_tensorflow_and_run(tmp_path: Path) -> None:
    """Given a program in the wheel's place -> found, its path without detours."""
    program = write_ptxas(tmp_path / "nvidia" / "cuda_nvcc", f"#!{sys.executable}\n")
    (tmp_path / "tensorflow").mkdir()
    found = cuda_libraries.find_ptxas(tmp_path / "tensorflow", ("../nvidia/cuda_nvcc",))
    assert found == LibraryCheck("ptxas", path=program)


@pytest.mark.parametrize(("text", "reason"), [("#!/bin/false\n", "non-zero exit status 1"), ("?", "cannot be run")])
def test_ptxas_that_does_not_run_is_missing(tmp_path: Path, text: str, reason: str) -> None:
    """Given a program that fails, and a text in its place -> of no use, with the reason."""
    write_ptxas(tmp_path / "root", text)
    (tmp_path / "tensorflow").mkdir()
    found = cuda_libraries.find_ptxas(tmp_path / "tensorflow", ("../root",))
    assert found.path is None
    assert reason in str(found.problem)


def test_ptxas_that_is_nowhere_names_the_places(tmp_path: Path) -> None:
    """Given none in any place -> the places that were looked at."""
    found = cuda_libraries.find_ptxas(tmp_path, ("a", "../b"))
    assert found.problem == "it is in none of a/bin, ../b/bin"


def test_everything_tensorflow_opens_is_checked() -> None:
    """Given a TensorFlow without NVIDIA's packages -> every library of the list is looked for, ptxas too."""
    names = {found.name.partition(".")[0] for found in cuda_libraries.check()}
    wanted = {"cudart", "cublas", "cublasLt", "cudnn", "cufft", "cusolver", "cusparse", "nccl"}
    assert {*(f"lib{name}" for name in wanted), "ptxas"} <= names


def test_complaint_groups_names_by_reason() -> None:
    """Given several missing -> one line, every reason once; none missing -> no line."""
    here = LibraryCheck("liba.so.1", path=Path("/a"))
    found = [
        here,
        LibraryCheck("libb.so.1", problem="gone"),
        LibraryCheck("libc.so.1", problem="gone"),
        LibraryCheck("d", problem="bad"),
    ]
    assert cuda_libraries.complaint(found) == "TensorFlow cannot open libb.so.1, libc.so.1 (gone); d (bad)"
    assert cuda_libraries.complaint([here]) is None
