"""Whether a model folder can be one of many, said before anything is loaded."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from image_classifier import artifacts
from image_classifier.contract.errors import UserError
from image_classifier.resources.processors import available_processors
from image_classifier.serving.multi_model import capacity
from image_classifier.serving.multi_model.capacity import KEPT_MEGABYTES, MEGABYTE, NoRoomError
from image_classifier.serving.multi_model.load_request import parse
from image_classifier.serving.rejection import RejectedError
from tests.support import tiny_models


def test_model_that_just_fits_is_loaded_and_one_more_byte_is_rejected(tmp_path: Path) -> None:
    """Given as much memory as is needed, and a byte less -> loaded; rejected with need and have before loading."""
    folder = tiny_models.write(tmp_path / "model", "a", megabytes=4).folder
    enough = capacity.needed_bytes(folder, available_processors()) + KEPT_MEGABYTES * MEGABYTE
    assert capacity.load(folder, "f32", lambda: enough).engine.name == "openvino"
    with pytest.raises(NoRoomError, match=rf"Loading {folder} needs about \d+ MB, 64 MB stay free .* MB are left"):
        capacity.load(folder, "f32", lambda: enough - 1, held=lambda: [folder])


def test_model_that_no_unload_makes_room_for_is_the_users(tmp_path: Path) -> None:
    """Given too little memory, even without the models that are held -> UserError, so 400 and not 507."""
    small, large = (tiny_models.write(tmp_path / f"{size}", "a", megabytes=size).folder for size in (1, 40))
    needed, freed = (capacity.needed_bytes(folder, available_processors()) for folder in (large, small))
    enough = needed + KEPT_MEGABYTES * MEGABYTE
    with pytest.raises(UserError, match=r"without the 0 models that are loaded\. Take an instance with more memory"):
        capacity.load(large, "f32", lambda: enough - 1)
    with pytest.raises(UserError, match=r"without the 1 models that are loaded"):
        capacity.load(large, "f32", lambda: enough - freed - 1, held=lambda: [small])
    with pytest.raises(NoRoomError, match="Unload another model first"):
        capacity.load(large, "f32", lambda: enough - freed, held=lambda: [small])


def test_folder_around_everything_is_stepped_into(tmp_path: Path) -> None:
    """Given a model one folder below the one that is named -> loaded with its own labels and size."""
    tiny_models.write(tmp_path / "given" / "my-model", "a")
    assert capacity.load(tmp_path / "given", "f32").labels[0] == "a-red"


def test_need_grows_with_weights_cpus_and_images(tmp_path: Path) -> None:
    """Given 9 MB of weights for 1, eight CPUs for one, images of 448 pixels -> each needs more, as was measured."""
    small, large = (tiny_models.write(tmp_path / f"{size}", "a", megabytes=size).folder for size in (1, 9))
    assert capacity.needed_bytes(large, 1) - capacity.needed_bytes(small, 1) > 16 * MEGABYTE
    info = replace(artifacts.read_model_info(small), image_size=(448, 448))
    artifacts.write_model_info(small, info)
    one, eight = (capacity.needed_bytes(small, processors) for processors in (1, 8))
    assert one > 4 * capacity.CPU_MEGABYTES * MEGABYTE
    assert eight - one == 7 * 4 * capacity.CPU_MEGABYTES * MEGABYTE


def test_memory_is_asked_for_again_after_giving_back(tmp_path: Path) -> None:
    """Given too little memory at first and enough at the second look -> loaded."""
    folder = tiny_models.write(tmp_path / "model", "a").folder
    looks = iter([0, 2**40])
    assert len(capacity.load(folder, "f32", lambda: next(looks)).labels) == 3
    assert next(looks, None) is None


def test_model_of_tensorflow_is_rejected_with_the_remedy(tmp_path: Path) -> None:
    """Given a model without an IR, and one whose SavedModel is another -> rejected before loading, with what to do."""
    without = tiny_models.without_representation(tiny_models.write(tmp_path / "without", "a")).folder
    with pytest.raises(UserError, match=r"has no OpenVINO IR\. TensorFlow would .*scripts/convert-model"):
        capacity.load(without, "f32")
    other = tiny_models.write(tmp_path / "other", "a").folder
    (other / "1" / "saved_model.pb").write_bytes(b"another")
    with pytest.raises(UserError, match=r"IR of another SavedModel .*scripts/convert-model"):
        capacity.load(other, "f32")


def test_broken_folder_is_the_users_to_repair(tmp_path: Path) -> None:
    """Given a folder without a model, and one whose IR is corrupt -> the plain reason of each."""
    with pytest.raises(UserError, match="holds no SavedModel"):
        capacity.load(tmp_path, "f32")
    folder = tiny_models.write(tmp_path / "model", "a").folder
    (folder / "openvino" / "model.xml").write_text("<net/>")
    with pytest.raises(UserError, match="is corrupt"):
        capacity.load(folder, "f32")


@pytest.mark.parametrize("name", ["a", "a" * 256, "0f1e2d", "animal.tar.gz", "%2e", "a?b", "..."])
def test_names_mean_nothing(tmp_path: Path, name: str) -> None:
    """Given names of visible characters, up to 256 -> taken as they are."""
    assert parse(json.dumps({"model_name": name, "url": str(tmp_path)}).encode()).name == name


@pytest.mark.parametrize(
    "name", ["", "a" * 257, ".", "..", "a/b", "../../etc", "a b", "a\n", "a\0", "ä", None, 7, ["a"], True]
)
def test_other_names_are_rejected(tmp_path: Path, name: object) -> None:
    """Given no name, one too long, one with a slash, with what is not visible, of another type -> 400 with the rule."""
    with pytest.raises(RejectedError) as found:
        parse(json.dumps({"model_name": name, "url": str(tmp_path)}).encode())
    assert (found.value.status, found.value.code) == (400, "invalid_model_name")
    assert "1 to 256 visible ASCII characters" in found.value.message


@pytest.mark.parametrize(
    "url",
    [
        "/",
        "//",
        "/usr/..",
        "/proc/self/root",
        "/proc/thread-self/root",
        "/tmp",
        "/usr/lib",
        "/etc/ssl",
        "/proc/1",
        "/dev",
    ],
)
def test_folders_of_the_system_are_rejected_at_once(url: str) -> None:
    """Given a path that leads to the disk's root, to a folder there, or into the system -> 400 without a search."""
    with pytest.raises(RejectedError) as found:
        parse(json.dumps({"model_name": "a", "url": url}).encode())
    assert (found.value.status, found.value.code) == (400, "invalid_url")


def test_link_to_the_system_is_rejected(tmp_path: Path) -> None:
    """Given a link in a folder of models to / and to /usr -> 400 with what it leads to; a link to a model -> taken."""
    for name, target in (("root", Path("/")), ("usr", Path("/usr")), ("model", tmp_path)):
        (tmp_path / name).symlink_to(target)
    for name in ("root", "usr"):
        with pytest.raises(RejectedError, match="a folder of the system or at the root of the disk"):
            parse(json.dumps({"model_name": "a", "url": str(tmp_path / name)}).encode())
    assert parse(json.dumps({"model_name": "a", "url": str(tmp_path / "model")}).encode()).folder == tmp_path / "model"


def test_roots_that_are_set_are_the_only_ones(tmp_path: Path) -> None:
    """Given SERVE_MODEL_ROOTS -> what lies below them is taken, what only begins with them or leads out is not."""
    for name in ("models/a", "models-2", "other"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "models" / "out").symlink_to(tmp_path / "other")
    roots = (tmp_path / "absent", tmp_path / "models")
    body = json.dumps({"model_name": "a", "url": str(tmp_path / "models" / "a")}).encode()
    assert parse(body, roots).folder == tmp_path / "models" / "a"
    for name in ("models-2", "other", "models/out", "models/../other"):
        with pytest.raises(RejectedError, match=r"SERVE_MODEL_ROOTS allows models below .*/absent, .*/models alone"):
            parse(json.dumps({"model_name": "a", "url": str(tmp_path / name)}).encode(), roots)


@pytest.mark.parametrize("url", ["", "/", "relative", "/nowhere/at/all", "/dev/null", "/" + "a" * 5000, "/\0", None, 7])
def test_other_folders_are_rejected(url: object) -> None:
    """Given a relative path, the root, one that is absent, a file, too long, none -> 400 with what was given."""
    with pytest.raises(RejectedError) as found:
        parse(json.dumps({"model_name": "a", "url": url}).encode())
    assert (found.value.status, found.value.code) == (400, "invalid_url")
    assert len(found.value.message) < 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_rejected(body: bytes) -> None:
    """Given a body that is no JSON, no object, too deep -> 400 with what is expected."""
    with pytest.raises(RejectedError) as found:
        parse(body)
    assert (found.value.status, found.value.code) == (400, "invalid_json")
    assert "model_name" in found.value.message
