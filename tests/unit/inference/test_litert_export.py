"""The export to LiteRT around the conversion: the images of each kind, the reasons, and the child's files."""

import errno
import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from image_classifier.contract.errors import AlgorithmError, ExplainedError, PlatformError, UserError
from image_classifier.inference.litert_model import conversion, exchange, export
from image_classifier.inference.litert_model.exchange import FLOAT32, INT8, Converted, Request
from image_classifier.inference.litert_model.export import GivenImage

REQUEST = Request(model="model", precision=INT8, trust=False, calibration=("a.png",), verification=("b.png", "c.png"))


def images(**counts: int) -> list[GivenImage]:
    """Return images in folders of these names."""
    return [GivenImage(Path(name, f"{row}.png"), name) for name, count in counts.items() for row in range(count)]


def shares(chosen: list[GivenImage]) -> dict[str, int]:
    """Return the number of images of each folder."""
    names = [image.folder_name for image in chosen]
    return {name: names.count(name) for name in sorted(set(names))}


def test_int8_is_compared_on_other_images_than_those_of_its_ranges() -> None:
    """Given 40 and 20 images of two classes for int8 -> two disjoint halves, each with both classes' shares."""
    given = images(cat=40, dog=20)
    calibration, verification = export.split(given, INT8)
    assert shares(calibration) == shares(verification) == {"cat": 20, "dog": 10}
    assert {*calibration, *verification} == {*given}


def test_numbers_of_images_are_limited() -> None:
    """Given 2,000 images -> 300 and 500 of them for int8; 500 and none for ranges in float32; the same every time."""
    given = images(cat=1500, dog=500)
    calibration, verification = export.split(given, INT8)
    assert (len(calibration), len(verification)) == (300, 500)
    assert not {*calibration} & {*verification}
    assert shares(verification)["dog"] == pytest.approx(125, abs=2)
    assert export.split(given, INT8) == (calibration, verification)
    none, compared = export.split(given, FLOAT32)
    assert (none, len(compared)) == ([], 500)


@pytest.mark.parametrize(("count", "expected"), [(0, (0, 0)), (1, (0, 1)), (2, (1, 1)), (3, (1, 2))])
def test_few_images_are_split_too(count: int, expected: tuple[int, int]) -> None:
    """Given hardly any image -> the comparison gets at least as many as the ranges."""
    calibration, verification = export.split(images(cat=count), INT8)
    assert (len(calibration), len(verification)) == expected


def test_lacking_operations_are_named() -> None:
    """Given the converter's message about operations, and another one -> the operations sorted; its first line."""
    message = (
        "Some ops are not supported\nTF Select ops: Lgamma, Betainc\nDetails:\n\ttf.Lgamma(...)\nCustom ops: Mine\n"
    )
    assert conversion.reason(message) == "LiteRT has no operations Betainc, Lgamma, Mine"
    assert conversion.reason("TF Select ops: Lgamma\n") == "LiteRT has no operation Lgamma"
    assert conversion.reason("\nthe graph has a cycle.\nand more") == "the graph has a cycle"


def test_request_and_result_survive_their_files(tmp_path: Path) -> None:
    """Given a request and a result -> written and read back they are equal; before, there is no result."""
    exchange.write_request(tmp_path, REQUEST)
    assert exchange.read_request(tmp_path) == REQUEST
    assert exchange.read_converted(tmp_path) is None
    converted = Converted(
        class_names=("cat", "dög"),
        warning=None,
        image_size=(24, 32),
        resize_method="bilinear",
        rows=(1,),
        skipped={"b.png": "not an image"},
        expected=np.array([[0.25, 0.75]], np.float32),
        found=np.array([[0.5, 0.5]], np.float32),
    )
    exchange.write_converted(tmp_path, converted)
    read = exchange.read_converted(tmp_path)
    assert read is not None
    assert np.array_equal(read.expected, converted.expected)
    assert np.array_equal(read.found, converted.found)
    assert {**vars(read), "expected": 0, "found": 0} == {**vars(converted), "expected": 0, "found": 0}


@pytest.mark.parametrize("owner", [UserError, AlgorithmError, PlatformError])
def test_error_of_the_child_keeps_its_owner(tmp_path: Path, owner: type[ExplainedError]) -> None:
    """Given an explained error in the child -> the parent reads the same kind with the same text."""
    assert exchange.read_error(tmp_path) is None
    exchange.write_error(tmp_path, owner("model is a backbone."))
    found = exchange.read_error(tmp_path)
    assert type(found) is owner
    assert str(found) == "model is a backbone."


@pytest.mark.parametrize(
    ("code", "owner", "words"),
    [
        (-signal.SIGKILL, PlatformError, "was killed, probably for lack of memory. Use a machine with more memory."),
        (-signal.SIGABRT, AlgorithmError, "was ended by SIGABRT: LLVM ERROR: no such type. TensorFlow's converter"),
        (1, AlgorithmError, "failed with exit code 1: LLVM ERROR: no such type. TensorFlow's converter"),
    ],
)
def test_crash_of_the_child_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, owner: type[ExplainedError], words: str
) -> None:
    """Given a converter that ends its process -> one sentence with the signal and its last line, and an owner."""

    def crash(command: list[str], stderr: object, **_: object) -> subprocess.CompletedProcess[bytes]:
        (tmp_path / "log").write_text("some remarks\nLLVM ERROR: no such type.\n")
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr(subprocess, "run", crash)
    with pytest.raises(owner, match=r"^The conversion of model to LiteRT ") as raised:
        export.convert(REQUEST, tmp_path)
    assert words in str(raised.value)


def test_full_disk_of_the_child_is_not_the_networks_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a full disk under the LiteRT file -> the platform's error; any other error of a file stays a crash."""
    exchange.write_request(tmp_path, REQUEST)

    def fail(code: int) -> None:
        def raise_it(*_: object) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(conversion, "run", raise_it)

    fail(errno.ENOSPC)
    assert conversion.main(tmp_path) == 1
    found = exchange.read_error(tmp_path)
    assert isinstance(found, PlatformError)
    assert str(found).startswith(f"The LiteRT file cannot be written to {tmp_path}: No space left on device. Make room")
    fail(errno.ENOENT)
    with pytest.raises(FileNotFoundError):
        conversion.main(tmp_path)


def test_hanging_child_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a conversion that does not end -> the timeout and what to do."""

    def hang(command: list[str], timeout: float, **_: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(PlatformError, match=r"did not finish within 3600 s\. Give fewer images"):
        export.convert(REQUEST, tmp_path)
