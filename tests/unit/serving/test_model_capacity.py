"""Checks of a multi-model server before a model is loaded."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from image_classifier import artifacts, durable_files
from image_classifier.contract.errors import UserError
from image_classifier.resources import processors
from image_classifier.resources.processors import available_processors
from image_classifier.serving.multi_model import capacity
from image_classifier.serving.multi_model.capacity import KEPT_MEGABYTES, MEGABYTE, NoRoomError
from image_classifier.serving.multi_model.load_request import parse
from image_classifier.serving.rejection import RejectedError
from tests.support import tiny_models


def test_model_that_just_fits_is_loaded_and_one_byte_less_is_rejected(tmp_path: Path) -> None:
    """Given exactly the memory needed, and a byte less -> loaded; rejected with both figures before loading."""
    folder = tiny_models.write(tmp_path / "model", "a", megabytes=4).folder
    enough = capacity.needed_bytes(folder, available_processors()) + KEPT_MEGABYTES * MEGABYTE
    assert capacity.load(folder, "f32", lambda: enough).engine.name == "openvino"
    figures = rf"Loading {folder} needs about \d+ MB, plus 64 MB kept free .* MB are available"
    with pytest.raises(NoRoomError, match=figures):
        capacity.load(folder, "f32", lambda: enough - 1, loaded=lambda: [folder])


def test_model_larger_than_the_machine_is_a_user_error(tmp_path: Path) -> None:
    """Given too little memory, even without the loaded models -> UserError, so 400 and not 507."""
    small, large = (tiny_models.write(tmp_path / f"{size}", "a", megabytes=size).folder for size in (1, 40))
    needed, freed = (capacity.needed_bytes(folder, available_processors()) for folder in (large, small))
    enough = needed + KEPT_MEGABYTES * MEGABYTE
    with pytest.raises(UserError, match=r"without the 0 loaded models\. Use an instance with more memory"):
        capacity.load(large, "f32", lambda: enough - 1)
    with pytest.raises(UserError, match=r"without the 1 loaded models"):
        capacity.load(large, "f32", lambda: enough - freed - 1, loaded=lambda: [small])
    with pytest.raises(NoRoomError, match="Unload another model first"):
        capacity.load(large, "f32", lambda: enough - freed, loaded=lambda: [small])


def test_chosen_precision_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Given a large float32 IR and a small int8 one -> int8 loads where f32 does not fit, also for loaded models."""
    model = tiny_models.write(tmp_path / "model", "a", megabytes=16)
    tiny_models.add_int8(model)
    small, large = (capacity.needed_bytes(model.folder, available_processors(), name) for name in ("int8", "f32"))
    assert large - small > 40 * MEGABYTE
    enough = small + KEPT_MEGABYTES * MEGABYTE
    with caplog.at_level("INFO", "image_classifier.serving"):
        assert capacity.load(model.folder, "int8", lambda: enough).engine.precision == "int8"
    assert f"{model.folder} computes in int8: SERVE_PRECISION is int8." in caplog.text
    with pytest.raises(UserError, match="Use an instance with more memory"):
        capacity.load(model.folder, "int8", lambda: enough - small - 1, loaded=lambda: [model.folder])
    with pytest.raises(NoRoomError):
        capacity.load(model.folder, "f32", lambda: enough, loaded=lambda: [model.folder])


def test_auto_counts_what_this_cpu_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given auto on a CPU with VNNI and on one without -> the estimate of int8, of f32; of a bad record f32."""
    model = tiny_models.write(tmp_path / "model", "a", megabytes=8)
    tiny_models.add_int8(model)

    def estimate(flags: str, precision: str) -> int:
        monkeypatch.setattr(processors, "features", lambda *_: frozenset(flags.split()))
        return capacity.needed_bytes(model.folder, 2, precision)

    assert estimate("avx512_vnni", "auto") == estimate("avx512_vnni", "int8") < estimate("avx512_vnni", "f32")
    assert estimate("avx2", "auto") == estimate("avx2", "f32") == estimate("avx512_bf16", "bf16")
    info = json.loads((model.folder / artifacts.MODEL_INFO_FILE).read_text())
    info["precisions"]["int8"]["gate"] = None
    durable_files.write_json(model.folder / artifacts.MODEL_INFO_FILE, info)
    # A model that is loaded already: the load of another one must not fail on it.
    assert estimate("avx512_vnni", "auto") == estimate("avx512_vnni", "f32")


def test_model_without_the_requested_precision_is_rejected(tmp_path: Path) -> None:
    """Given int8 for a model without it -> rejected with the remedy; for auto it is loaded in f32."""
    folder = tiny_models.write(tmp_path / "model", "a").folder
    with pytest.raises(UserError, match=r"has no int8 network\. Set it to f32 or auto, or run scripts/convert-model"):
        capacity.load(folder, "int8")
    assert capacity.load(folder, "auto").engine.precision == "f32"


def test_nested_model_folder_is_found(tmp_path: Path) -> None:
    """Given a model one folder below the given one -> loaded with its own labels and size."""
    tiny_models.write(tmp_path / "given" / "my-model", "a")
    assert capacity.load(tmp_path / "given", "f32").labels[0] == "a-red"


def test_estimate_grows_with_weights_cpus_and_images(tmp_path: Path) -> None:
    """Given more weights, eight CPUs, or images of 448 pixels -> higher estimates, as measured."""
    small, large = (tiny_models.write(tmp_path / f"{size}", "a", megabytes=size).folder for size in (1, 9))
    assert capacity.needed_bytes(large, 1) - capacity.needed_bytes(small, 1) > 16 * MEGABYTE
    info = replace(artifacts.read_model_info(small), image_size=(448, 448))
    artifacts.write_model_info(small, info)
    one, eight = (capacity.needed_bytes(small, processors) for processors in (1, 8))
    assert one > 4 * capacity.CPU_MEGABYTES * MEGABYTE
    assert eight - one == 7 * 4 * capacity.CPU_MEGABYTES * MEGABYTE


def test_memory_is_measured_again_after_trimming(tmp_path: Path) -> None:
    """Given too little free memory before trimming the heap and enough afterwards -> loaded."""
    folder = tiny_models.write(tmp_path / "model", "a").folder
    looks = iter([0, 2**40])
    assert len(capacity.load(folder, "f32", lambda: next(looks)).labels) == 3
    assert next(looks, None) is None


def test_model_without_an_ir_is_rejected_with_the_remedy(tmp_path: Path) -> None:
    """Given a model without an IR, and one whose SavedModel differs -> rejected before loading, with the remedy."""
    without = tiny_models.without_representation(tiny_models.write(tmp_path / "without", "a")).folder
    with pytest.raises(UserError, match=r"has no OpenVINO IR\. TensorFlow would .*scripts/convert-model"):
        capacity.load(without, "f32")
    other = tiny_models.write(tmp_path / "other", "a").folder
    (other / "1" / "saved_model.pb").write_bytes(b"another")
    with pytest.raises(UserError, match=r"IR of a different SavedModel\. .*scripts/convert-model"):
        capacity.load(other, "f32")


def test_broken_folder_is_a_user_error(tmp_path: Path) -> None:
    """Given a folder without a model, and one with a corrupt IR -> the reason of each."""
    with pytest.raises(UserError, match="contains no SavedModel"):
        capacity.load(tmp_path, "f32")
    folder = tiny_models.write(tmp_path / "model", "a").folder
    (folder / "openvino" / "model.xml").write_text("<net/>")
    with pytest.raises(UserError, match="is corrupt"):
        capacity.load(folder, "f32")


@pytest.mark.parametrize("name", ["a", "a" * 256, "0f1e2d", "animal.tar.gz", "%2e", "a?b", "..."])
def test_names_are_arbitrary(tmp_path: Path, name: str) -> None:
    """Given names of visible characters, up to 256 -> accepted unchanged."""
    assert parse(json.dumps({"model_name": name, "url": str(tmp_path)}).encode()).name == name


@pytest.mark.parametrize(
    "name", ["", "a" * 257, ".", "..", "a/b", "../../etc", "a b", "a\n", "a\0", "ä", None, 7, ["a"], True]
)
def test_other_names_are_rejected(tmp_path: Path, name: object) -> None:
    """Given no name, one too long, with a slash, with invisible characters, of another type -> 400 with the rule."""
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
def test_system_folders_are_rejected_immediately(url: str) -> None:
    """Given a path to the disk's root, a folder there, or a system folder -> 400 without a search."""
    with pytest.raises(RejectedError) as found:
        parse(json.dumps({"model_name": "a", "url": url}).encode())
    assert (found.value.status, found.value.code) == (400, "invalid_url")


def test_link_to_the_system_is_rejected(tmp_path: Path) -> None:
    """Given links to / and /usr in a folder of models -> 400 with the target; a link to a model is accepted."""
    for name, target in (("root", Path("/")), ("usr", Path("/usr")), ("model", tmp_path)):
        (tmp_path / name).symlink_to(target)
    for name in ("root", "usr"):
        with pytest.raises(RejectedError, match="a system folder or at the root of the disk"):
            parse(json.dumps({"model_name": "a", "url": str(tmp_path / name)}).encode())
    assert parse(json.dumps({"model_name": "a", "url": str(tmp_path / "model")}).encode()).folder == tmp_path / "model"


def test_only_configured_roots_are_allowed(tmp_path: Path) -> None:
    """Given SERVE_MODEL_ROOTS -> folders below are accepted, those that share a prefix or lead out are rejected."""
    for name in ("models/a", "models-2", "other"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "models" / "out").symlink_to(tmp_path / "other")
    roots = (tmp_path / "absent", tmp_path / "models")
    body = json.dumps({"model_name": "a", "url": str(tmp_path / "models" / "a")}).encode()
    assert parse(body, roots).folder == tmp_path / "models" / "a"
    for name in ("models-2", "other", "models/out", "models/../other"):
        with pytest.raises(RejectedError, match=r"SERVE_MODEL_ROOTS allows only models below .*/absent, .*/models"):
            parse(json.dumps({"model_name": "a", "url": str(tmp_path / name)}).encode(), roots)


@pytest.mark.parametrize("url", ["", "/", "relative", "/nowhere/at/all", "/dev/null", "/" + "a" * 5000, "/\0", None, 7])
def test_other_folders_are_rejected(url: object) -> None:
    """Given a relative path, the root, a missing one, a file, one too long, none -> 400 with the given value."""
    with pytest.raises(RejectedError) as found:
        parse(json.dumps({"model_name": "a", "url": url}).encode())
    assert (found.value.status, found.value.code) == (400, "invalid_url")
    assert len(found.value.message) < 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 100_000])
def test_body_other_than_an_object_is_rejected(body: bytes) -> None:
    """Given invalid JSON, another type, or too deep nesting -> 400 with the expected form."""
    with pytest.raises(RejectedError) as found:
        parse(body)
    assert (found.value.status, found.value.code) == (400, "invalid_json")
    assert "model_name" in found.value.message
