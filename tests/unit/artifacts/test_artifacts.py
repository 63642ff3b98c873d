"""The model folder's files."""

import json
from pathlib import Path

import pytest

from image_classifier import artifact_checksums, artifacts
from image_classifier.artifacts import ModelInfo
from image_classifier.contract.errors import UserError


def test_model_info_round_trip(tmp_path: Path) -> None:
    """A written model info -> read back equal, unknown keys included."""
    info = ModelInfo(
        image_size=(160, 192),
        pixel_scaling_method="center",
        finetuned=True,
        hyperparameters={"epochs": 3},
        extra={"metrics": {"val_accuracy": 0.9}},
    )
    artifacts.write_model_info(tmp_path, info)
    assert artifacts.read_model_info(tmp_path) == info


def test_missing_model_info_means_the_built_ins_defaults(tmp_path: Path) -> None:
    """No model info -> 224 x 224, normalize, not fine-tuned."""
    info = artifacts.read_model_info(tmp_path)
    assert (info.image_size, info.pixel_scaling_method, info.finetuned) == ((224, 224), "normalize", False)


def test_model_without_an_imaging_version_has_the_first(tmp_path: Path) -> None:
    """Given a model info from before versions were recorded, and one of an unknown version -> 1, a UserError."""
    (tmp_path / artifacts.MODEL_INFO_FILE).write_text('{"finetuned": true}')
    assert artifacts.read_model_info(tmp_path).imaging_version == 1
    (tmp_path / artifacts.MODEL_INFO_FILE).write_text('{"imaging_version": 99}')
    with pytest.raises(UserError, match="imaging_version is 99; allowed: 1, 2"):
        artifacts.read_model_info(tmp_path)


@pytest.mark.parametrize("name", artifacts.MODEL_INFO_NAMES)
def test_model_info_keys_in_any_case_under_any_known_name(tmp_path: Path, name: str) -> None:
    """Keys in capitals under each known file name -> understood."""
    (tmp_path / name).write_text(json.dumps({"Image_Size": [300, 200, 3], "PIXEL_SCALING_METHOD": "center"}))
    info = artifacts.read_model_info(tmp_path)
    assert (info.image_size, info.pixel_scaling_method) == ((300, 200), "center")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not valid JSON"),
        ("[]", "must contain a JSON object"),
        ('{"image_size": "large"}', "image_size is 'large'"),
        ('{"image_size": [0, 224]}', "image_size is"),
        ('{"image_size": [224]}', "image_size is"),
        ('{"pixel_scaling_method": "zoom"}', "allowed: normalize, center, standardize_on_imagenet"),
        ('{"output": "boxes"}', "output is 'boxes'"),
        ('{"finetuned": "yes"}', "finetuned is 'yes'; expected true or false"),
        ('{"signature": 5}', "signature is 5; expected a text"),
        ('{"output_key": ["default"]}', r"output_key is \['default'\]; expected a text"),
        ('{"resize_method": "zoom"}', "resize_method is 'zoom'; allowed: bilinear"),
        ('{"hyperparameters": [3]}', r"hyperparameters is \[3\]; expected an object"),
        ("null", "must contain a JSON object, got null"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"image_size": 1' + "0" * 5000 + "}", "is not valid JSON"),
    ],
)
def test_broken_model_info_is_rejected(tmp_path: Path, content: str, message: str) -> None:
    """A model info that cannot be used -> one sentence with the value and what is allowed."""
    (tmp_path / artifacts.MODEL_INFO_FILE).write_text(content)
    with pytest.raises(UserError, match=message):
        artifacts.read_model_info(tmp_path)


def test_one_number_is_a_square(tmp_path: Path) -> None:
    """An image size of one number -> height and width alike."""
    (tmp_path / artifacts.MODEL_INFO_FILE).write_text('{"image_size": 299}')
    assert artifacts.read_model_info(tmp_path).image_size == (299, 299)


def test_labels_round_trip_writes_both_files(tmp_path: Path) -> None:
    """Written labels -> both documented files, in index order."""
    artifacts.write_labels(tmp_path, ["b", "a", "ä"])
    assert artifacts.read_labels(tmp_path) == ("b", "a", "ä")
    assert json.loads((tmp_path / artifacts.CLASS_INDEX_FILE).read_text()) == {"b": 0, "a": 1, "ä": 2}


def test_labels_from_the_class_index_alone(tmp_path: Path) -> None:
    """Only the first generation's label file -> names by index."""
    (tmp_path / artifacts.CLASS_INDEX_FILE).write_text('{"cat": 1, "dog": 0}')
    assert artifacts.read_labels(tmp_path) == ("dog", "cat")


@pytest.mark.parametrize("content", ['{"labels": []}', '{"labels": [1, 2]}', '{"names": ["a"]}', '"a"'])
def test_labels_of_another_form_are_rejected(tmp_path: Path, content: str) -> None:
    """A label file of another form -> one sentence with the form that is expected."""
    (tmp_path / artifacts.LABELS_FILE).write_text(content)
    with pytest.raises(UserError, match="names in index order"):
        artifacts.read_labels(tmp_path)


def test_missing_labels_are_rejected(tmp_path: Path) -> None:
    """No label file -> rejected with what to put there."""
    with pytest.raises(UserError, match=r"has no labels_info\.json"):
        artifacts.read_labels(tmp_path)


def put_saved_model(folder: Path) -> None:
    """Put an empty file where a SavedModel's graph lies."""
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"")


def test_highest_version_wins(tmp_path: Path) -> None:
    """SavedModels under 1/, 9/, 10/ and elsewhere, one of them a copy of macOS's -> the highest number's."""
    for name in ("1", "9", "10", "other", "._11", "11.5", "1²"):
        put_saved_model(tmp_path / name)
    (tmp_path / "12").mkdir()
    assert artifacts.saved_model_folder(tmp_path) == tmp_path / "10"
    assert [path.name for path in artifacts.version_folders(tmp_path)] == ["1", "9", "10"]


def test_single_saved_model_is_found_anywhere(tmp_path: Path) -> None:
    """One SavedModel in a deeper folder -> found."""
    put_saved_model(tmp_path / "export" / "00000123")
    assert artifacts.saved_model_folder(tmp_path) == tmp_path / "export" / "00000123"


@pytest.mark.parametrize(
    ("folders", "message"), [([], "contains no SavedModel"), (["two", "three"], "contains several SavedModels")]
)
def test_no_or_several_saved_models_are_rejected(tmp_path: Path, folders: list[str], message: str) -> None:
    """No SavedModel, or several and none under 1/ -> rejected with what was found."""
    for name in folders:
        put_saved_model(tmp_path / name)
    with pytest.raises(UserError, match=message):
        artifacts.saved_model_folder(tmp_path)


def test_missing_model_folder_is_rejected(tmp_path: Path) -> None:
    """No folder at all -> rejected with its path."""
    with pytest.raises(UserError, match=r"does not exist\. A training job writes one"):
        artifacts.saved_model_folder(tmp_path / "absent")


def test_folder_hash_depends_on_names_and_content(tmp_path: Path) -> None:
    """Another content or another name -> another hash; the same folder elsewhere -> the same."""
    hashes = set()
    for index, (name, content) in enumerate([("a", "x"), ("a", "y"), ("b", "x"), ("a", "x")]):
        folder = tmp_path / str(index)
        folder.mkdir()
        (folder / name).write_text(content)
        hashes.add(artifact_checksums.folder_sha256(folder))
    assert len(hashes) == 3


@pytest.mark.parametrize(
    "name", [".DS_Store", "._saved_model.pb", "variables/._variables.index", "__MACOSX/1/x", "Thumbs.db"]
)
def test_files_of_systems_are_no_content(tmp_path: Path, name: str) -> None:
    """A SavedModel, and what macOS or Windows leaves in it -> the same checksum, the same SavedModel."""
    put_saved_model(tmp_path / "1")
    before = artifact_checksums.folder_sha256(tmp_path / "1")
    (tmp_path / "1" / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "1" / name).write_bytes(b"\0\5\26\7")
    assert artifact_checksums.folder_sha256(tmp_path / "1") == before
    (tmp_path / "1" / "weights").write_bytes(b"x")
    assert artifact_checksums.folder_sha256(tmp_path / "1") != before


def test_checksum_names_the_versions(tmp_path: Path) -> None:
    """A model info of version 1 beside a version 2 -> the message says that the highest is used, and what to do."""
    for name in ("1", "2"):
        put_saved_model(tmp_path / name)
        (tmp_path / name / "weights").write_text(name)
    info = ModelInfo(sha256=artifact_checksums.folder_sha256(tmp_path / "1"))
    with pytest.raises(UserError, match=r"The highest of several versions is used: keep 2/ with its own model info"):
        artifact_checksums.undamaged_sha256(tmp_path / "2", info, "The model")


def test_unrecorded_keys_are_told(tmp_path: Path) -> None:
    """No model info, one with a size, one with null and other cases -> which of size and scaling nothing records."""
    assert artifacts.unrecorded(tmp_path) == ["image_size", "pixel_scaling_method"]
    (tmp_path / artifacts.MODEL_INFO_FILE).write_text('{"Image_Size": 96, "pixel_scaling_method": null}')
    assert artifacts.unrecorded(tmp_path) == ["pixel_scaling_method"]
    artifacts.write_model_info(tmp_path, ModelInfo())
    assert artifacts.unrecorded(tmp_path) == []


@pytest.mark.parametrize(("written", "read"), [("true", True), ('"True"', True), ('"false"', False), ("0", False)])
def test_booleans_of_other_programs_are_decoded(tmp_path: Path, written: str, read: bool) -> None:
    """Booleans as JSON, as text in any case and as 0 or 1 -> the boolean; "false" as text is not true."""
    (tmp_path / artifacts.MODEL_INFO_FILE).write_text(f'{{"finetuned": {written}, "binary_mode": null}}')
    info = artifacts.read_model_info(tmp_path)
    assert (info.finetuned, info.binary_mode) == (read, False)


def test_notes_of_another_type_keep_no_model_from_being_served(tmp_path: Path) -> None:
    """Given a list as the source and a number as the model id -> they count as not recorded; the rest is read."""
    content = '{"source": ["a", "list"], "model_id": 7, "licence": {}, "image_size": 64}'
    (tmp_path / artifacts.MODEL_INFO_FILE).write_text(content)
    found = artifacts.read_model_info(tmp_path)
    assert (found.source, found.model_id, found.licence, found.image_size) == (None, None, None, (64, 64))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_json_in_any_unicode_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    """Files that an editor saved with a byte order mark, or in UTF-16 -> read as those in UTF-8."""
    (tmp_path / artifacts.MODEL_INFO_FILE).write_text('{"image_size": 96}', encoding=encoding)
    (tmp_path / artifacts.LABELS_FILE).write_text('{"labels": ["café", "tea"]}', encoding=encoding)
    assert artifacts.read_model_info(tmp_path).image_size == (96, 96)
    assert artifacts.read_labels(tmp_path) == ("café", "tea")


@pytest.mark.parametrize(
    "content",
    ['{"a": 0, "b": 0}', '{"a": 1, "b": 2}', '{"a": -1, "b": 0}', '{"a": "first"}', '{"0": "a"}', '{"a": null}', "[]"],
)
def test_class_index_with_gaps_is_rejected(tmp_path: Path, content: str) -> None:
    """Indices that repeat, do not begin at 0 or are not numbers -> rejected; no class gets the number of another."""
    (tmp_path / artifacts.CLASS_INDEX_FILE).write_text(content)
    with pytest.raises(UserError, match="must contain each name with its index from 0"):
        artifacts.read_labels(tmp_path)
