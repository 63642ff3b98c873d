"""Staging: every source becomes one archive of one form, or one sentence."""

import re
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from image_classifier import archives, artifact_checksums, artifacts
from image_classifier.cli import stage_backbone
from image_classifier.contract.errors import UserError
from image_classifier.model_hub import staging
from image_classifier.model_hub.staging import Options


def staged(source: str, folder: Path, options: Options | None = None) -> Path:
    """Stage a source and unpack the archive."""
    archive = staging.stage(source, folder / "staged.tar.gz", options)
    into = folder / "unpacked"
    archives.unpack(archive, into)
    return into


def test_folder_and_archive_become_the_same_archive(model_folder: Path, tmp_path: Path) -> None:
    """A model folder, and a tar.gz of it -> SavedModel under 1/, model info with checksum; the source is said."""
    archives.pack(model_folder, tmp_path / "given.tar.gz")
    for number, source in enumerate((model_folder, tmp_path / "given.tar.gz")):
        folder = staged(str(source), tmp_path / str(number))
        info = artifacts.read_model_info(folder)
        assert (folder / "1" / "saved_model.pb").is_file()
        assert info.sha256 == artifact_checksums.folder_sha256(model_folder / "1")
        assert (info.image_size, info.pixel_scaling_method, info.licence) == ((32, 40), "center", "MIT")
        assert info.source == str(source)


def test_bare_saved_model_gets_the_options(model_folder: Path, tmp_path: Path) -> None:
    """A SavedModel's own folder without model info -> staged with the given size and scaling."""
    options = Options(image_size=(96, 80), pixel_scaling_method="standardize_on_imagenet")
    info = artifacts.read_model_info(staged(str(model_folder / "1"), tmp_path, options))
    assert (info.image_size, info.pixel_scaling_method) == ((96, 80), "standardize_on_imagenet")


@pytest.mark.every
def test_labels_are_kept_and_needed_with_a_head(model_folder: Path, tmp_path: Path) -> None:
    """--with-head, 12 outputs, no label file -> rejected by the source's name; with one -> both files are staged."""
    folder = tmp_path / "model"
    archives.pack(model_folder, tmp_path / "m.tar.gz")
    archives.unpack(tmp_path / "m.tar.gz", folder)
    with pytest.raises(UserError, match=rf"classes of {folder} have no names: its outputs are 12"):
        staging.stage(str(folder), tmp_path / "x.tar.gz", Options(with_head=True))
    artifacts.write_labels(folder, ["a", "b"])
    assert artifacts.read_labels(staged(str(folder), tmp_path, Options(with_head=True))) == ("a", "b")


def test_changed_file_is_found_by_the_checksum(model_folder: Path, tmp_path: Path) -> None:
    """A bit of a staged SavedModel flipped -> staging it again is rejected with both checksums."""
    folder = staged(str(model_folder), tmp_path)
    graph = folder / "1" / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:-1] + b"\x00")
    with pytest.raises(UserError, match="is corrupt: its SavedModel has sha256"):
        staging.stage(str(folder), tmp_path / "again.tar.gz")


def test_hub_handle_is_fetched_compressed(hub: str, tmp_path: Path) -> None:
    """A handle on a server that answers as tfhub.dev does -> staged, the handle and the archive's sha256 recorded."""
    folder = staged(f"{hub}/good/1", tmp_path, Options(image_size=(32, 40)))
    info = artifacts.read_model_info(folder)
    assert (folder / "1" / "saved_model.pb").is_file()
    assert info.source == f"{hub}/good/1"
    assert re.fullmatch("[0-9a-f]{64}", info.extra["archive_sha256"])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("forbidden/1", r"answered 403 .*login"),
        ("absent/1", r"answered 404 .*does not have this model"),
        ("rubbish/1", "cannot be used: .*not a complete tar archive"),
    ],
)
def test_server_that_rejects_is_said(hub: str, tmp_path: Path, path: str, message: str) -> None:
    """403, 404, or an answer that is not an archive -> one sentence with the handle and what to do."""
    with pytest.raises(UserError, match=message):
        staging.stage(f"{hub}/{path}", tmp_path / "x.tar.gz")
    assert not (tmp_path / "x.tar.gz").exists()


def test_unknown_source_and_folder_without_model_are_said(tmp_path: Path) -> None:
    """A word that is nothing, a folder without a SavedModel -> one sentence each."""
    with pytest.raises(UserError, match=r"The catalogue has no model 'lite9'\. Did you mean lite0"):
        staging.stage("lite9", tmp_path / "x.tar.gz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="contains no SavedModel"):
        staging.stage(str(tmp_path / "empty"), tmp_path / "x.tar.gz")


def test_output_that_cannot_be_written_is_said(model_folder: Path, tmp_path: Path) -> None:
    """A folder as --output, a path below a file -> one sentence each, and nothing is left behind."""
    with pytest.raises(UserError, match=r"is a folder\. Give the name of the archive"):
        staging.stage(str(model_folder), tmp_path)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot be staged to .*Look at that path"):
        staging.stage(str(model_folder), tmp_path / "file" / "x.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("text", "size"),
    [("64", (64, 64)), ("64x48", (64, 48)), ("0", None), ("-3", None), ("1x2x3", None), ("9999", None)],
)
def test_image_size_is_read_or_rejected(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, size: tuple[int, int] | None
) -> None:
    """One number, height x width -> recorded; zero, negative, three numbers, too many -> rejected with a remedy."""
    output = tmp_path / "out.tar.gz"
    arguments = [str(model_folder), "--output", str(output), f"--image-size={text}"]
    if size is None:
        with pytest.raises(SystemExit):
            stage_backbone.main(arguments)
        assert "height and width such as 224x160" in capsys.readouterr().err
    else:
        assert stage_backbone.main(arguments) == 0
        assert artifacts.read_model_info(archives.materialise(output, tmp_path / "out")).image_size == size


def test_command_reports_size_or_reason(model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command with a good and a bad source -> 0 and the archive's size, 1 and the sentence."""
    output = tmp_path / "out.tar.gz"
    assert stage_backbone.main([str(model_folder), "--output", str(output), "--image-size", "64x48"]) == 0
    assert " MB" in capsys.readouterr().out
    with tarfile.open(output) as tar:
        assert "__model_info__.json" in tar.getnames()
    assert stage_backbone.main(["lite9", "--output", str(output)]) == 1
    assert capsys.readouterr().err.startswith("UserError: The catalogue has no model 'lite9'")


def other_files(folder: Path, staged: Path) -> dict[str, bytes]:
    """Return files that no staging wrote, and some that are nearly such: a job's model, one that others packed."""
    model = folder / "content"
    archives.unpack(staged, model)
    info = artifacts.read_model_info(model)
    with tarfile.open(folder / "theirs.tar.gz", "w:gz") as tar:
        tar.add(model, arcname=".")
    with tarfile.open(folder / "theirs flat.tar.gz", "w:gz") as tar:
        for path in model.iterdir():
            tar.add(path, arcname=path.name)
    artifacts.write_model_info(model, replace(info, finetuned=True))
    archives.pack(model, folder / "trained.tar.gz")
    (model / artifacts.MODEL_INFO_FILE).unlink()
    archives.pack(model, folder / "bare.tar.gz")
    found = {path.name: path.read_bytes() for path in folder.glob("*.tar.gz")}
    return {**found, "thesis.txt": b"mine", "empty": b"", "cut.tar.gz": staged.read_bytes()[:2000]}


def test_only_a_staged_archive_is_replaced(model_folder: Path, tmp_path: Path) -> None:
    """Any other file, a trained model and other programs' archives included -> rejected and as it was; ours -> new."""
    staged = tmp_path / "staged.tar.gz"
    staging.stage(str(model_folder), staged)
    (tmp_path / "others").mkdir()
    others = other_files(tmp_path / "others", staged)
    assert len(others) == 7
    for name, content in others.items():
        output = tmp_path / "others" / name
        output.write_bytes(content)
        with pytest.raises(UserError, match="exists and is not a staged backbone written by this program"):
            staging.stage(str(model_folder), output)
        assert output.read_bytes() == content
    staging.stage(str(model_folder), staged, Options(image_size=(32, 44)))
    assert artifacts.read_model_info(archives.materialise(staged, tmp_path / "again")).image_size == (32, 44)


def test_output_is_looked_at_before_anything_is_fetched(hub: str, tmp_path: Path) -> None:
    """A source that would fail, and a file of the user's or a link as --output -> the output is what is named."""
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "link.tar.gz").symlink_to(tmp_path / "mine")
    for name, message in {"mine": "exists and is not", "link.tar.gz": r"is a link\. Links are not followed"}.items():
        with pytest.raises(UserError, match=message):
            staging.stage(f"{hub}/absent", tmp_path / name)
    assert (tmp_path / "link.tar.gz").is_symlink()
    assert (tmp_path / "mine").read_text() == "mine"


def test_hostile_classifier_is_not_loaded_for_its_labels(tmp_path: Path) -> None:
    """--with-head and a table whose initialiser writes a file -> rejected by the operation, and nothing is written."""
    import tensorflow as tf

    class Writing(tf.lookup.KeyValueTensorInitializer):  # type: ignore[misc, unused-ignore]
        def initialize(self, table: object) -> object:
            tf.raw_ops.WriteFile(filename=str(tmp_path / "written"), contents="x")
            return super().initialize(table)

    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(Writing(["a"], [1]), 0)
    specification = tf.TensorSpec((None, 8, 8, 3), tf.uint8, name="pixels")

    def classify(pixels: object) -> dict[str, object]:
        with tf.control_dependencies([module.table.lookup(tf.constant(["a"]))]):
            return {"probabilities": tf.fill((tf.shape(pixels)[0], 1000), 0.001)}

    signature = tf.function(classify, input_signature=[specification], autograph=False)
    tf.saved_model.save(module, str(tmp_path / "model" / "1"), signatures={"pixels": signature})
    (tmp_path / "written").unlink(missing_ok=True)
    with pytest.raises(UserError, match=r"is rejected: .*WriteFile"):
        staging.stage(str(tmp_path / "model"), tmp_path / "x.tar.gz", Options(with_head=True))
    assert not (tmp_path / "written").exists()


def test_what_is_assumed_of_a_bare_model_is_said(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A SavedModel without a model info -> a WARNING with what is recorded; with both options -> none."""
    staged(str(model_folder / "1"), tmp_path / "a")
    said = capsys.readouterr().out
    assert f"WARNING: No model info in {model_folder / '1'} records image_size and pixel_scaling_method" in said
    staged(str(model_folder / "1"), tmp_path / "b", Options(image_size=(32, 40)))
    assert "records pixel_scaling_method; using pixel_scaling_method normalize (assumed)" in capsys.readouterr().out
    staged(str(model_folder / "1"), tmp_path / "c", Options(image_size=(32, 40), pixel_scaling_method="center"))
    assert "WARNING" not in capsys.readouterr().out


def test_folder_around_everything_is_staged_with_its_info(model_folder: Path, tmp_path: Path) -> None:
    """An archive with one folder around a model, and what macOS adds -> its info and its SavedModel, nothing else."""
    archives.pack(model_folder, tmp_path / "m.tar.gz")
    archives.unpack(tmp_path / "m.tar.gz", tmp_path / "given" / "my-model")
    (tmp_path / "given" / "my-model" / "1" / "._saved_model.pb").write_bytes(b"x")
    folder = staged(str(tmp_path / "given"), tmp_path)
    assert artifacts.read_model_info(folder).image_size == (32, 40)
    assert not (folder / "1" / "._saved_model.pb").exists()
