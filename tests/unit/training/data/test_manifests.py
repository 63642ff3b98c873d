"""Manifests instead of class folders: CSV and SageMaker's augmented manifest lines, their splits and their mistakes."""

import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from image_classifier.class_folders import channel_scan, manifests
from image_classifier.class_folders.storage import Storage
from image_classifier.contract.errors import UserError
from image_classifier.training.data import dataset
from tests.unit.training.manifest_channels import EXPECTED, IMAGES, ROWS, channel, labels, listed
from tests.unit.training.trees import put


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(ROWS),
        "\n".join(["path,label", *ROWS]),
        "\ufeff" + "\r\n".join(["Path, Label", *ROWS, ""]),
        "\n".join(["path;label", *(row.replace(",", ";") for row in ROWS)]),
        "\n".join(["id,label,path", *(f"7,{row.split(',')[1]},./{row.split(',')[0]}" for row in ROWS)]),
        "\n".join(f'"{row.split(",")[0]}", {row.split(",")[1]}' for row in reversed(ROWS)),
    ],
    ids=["no header", "header", "Excel", "semicolons", "columns in another order", "quoted and reversed"],
)
def test_csv_gives_the_labels(tmp_path: Path, text: str) -> None:
    """A CSV file with and without its header, in the forms that programs write -> the same listing."""
    found = listed(channel(tmp_path, text))
    assert labels(found) == EXPECTED
    assert found == listed(channel(tmp_path, "\n".join(ROWS)))


def line(number: int, **more: Any) -> dict[str, Any]:
    """Return a line of Ground Truth's output for an image."""
    label = number % 2
    metadata = {"class-name": ("cat", "dog")[label], "confidence": 0.9, "type": "groundtruth/image-classification"}
    return {"source-ref": f"s3://bucket/a/b/{IMAGES[number]}", "job": label, "job-metadata": metadata, **more}


def text_of(lines: list[Any]) -> str:
    """Return JSON lines."""
    return "\n".join(map(json.dumps, lines))


@pytest.mark.parametrize("name", ["output.manifest", "data.jsonl"])
def test_augmented_manifest_gives_the_class_names(tmp_path: Path, name: str) -> None:
    """Ground Truth's output, the channel mounted at one of its prefixes -> class names of the metadata."""
    assert labels(listed(channel(tmp_path, text_of([line(number) for number in range(8)]), name))) == EXPECTED


def test_augmented_manifest_with_plain_attributes(tmp_path: Path) -> None:
    """Integers without metadata and relative paths -> classes are the integers, in the order of text."""
    plain = [{"source-ref": path, "class": 10 - number % 2} for number, path in enumerate(IMAGES)]
    found = listed(channel(tmp_path, text_of(plain), "a.jsonl"))
    assert found.class_names == ("10", "9")
    assert found.counts() == {"10": 4, "9": 4}


def test_objects_are_found_below_the_mounted_prefix(tmp_path: Path) -> None:
    """Folders of equal names in the keys -> the prefix below which the files exist, not the first that fits one."""
    put(tmp_path, *(f"images/images/{number}.jpg" for number in range(8)))
    keys = [f"s3://bucket/x/images/images/images/{number}.jpg" for number in range(8)]
    text = text_of([{"source-ref": key, "k": number % 2} for number, key in enumerate(keys)])
    put(tmp_path, "a.manifest", content=text.encode())
    assert sorted(labels(listed(tmp_path)))[0] == "images/images/0.jpg"


def test_every_mistake_is_in_one_message(tmp_path: Path) -> None:
    """Lines with one mistake each -> one sentence for each kind, with line numbers."""
    put(tmp_path, "secret.jpg")
    folder = tmp_path / "data"
    rows = [
        *("path,label,split", "images/0.jpg,cat,", "images/1.jpg,dog,train", "images/gone.jpg,cat,", "images/2.jpg,,"),
        *("images/3.jpg,cat,holdout", "images/0.jpg,dog,", "../secret.jpg,cat,", "/etc/passwd,cat,", "images/4.jpg"),
        *(
            "images/out.jpg,cat,",
            "images,cat,",
            "images/5.jpg,a/b,",
            "images/1.jpg,dog,test",
            ",cat,",
            "images/7.jpg,,",
        ),
    ]
    channel(folder, "\n".join(rows))
    (folder / "images/out.jpg").symlink_to(tmp_path / "secret.jpg")
    with (folder / "manifest.csv").open("ab") as file:
        file.write(b"\nimages/caf\xe9.jpg,cat,\n")
    with pytest.raises(UserError) as raised:
        listed(folder)
    said = str(raised.value)
    for words in (
        "line 4 (images/gone.jpg): no such file in the channel",
        "lines 5 (images/2.jpg), 16 (images/7.jpg): the label is empty",
        "line 6 (holdout): the split is unknown. Allowed are train, validation and test",
        "line 7 (images/0.jpg: cat and dog): the image has another label in an earlier line",
        "lines 8 (../secret.jpg), 11 (images/out.jpg): the path leads out of the channel",
        "line 9 (/etc/passwd): the path is absolute",
        "line 10 (images/4.jpg): the row has another number of cells",
        "line 12 (images): the path is not that of a file",
        "line 13 (a/b): the label cannot be the name of a class folder",
        "line 14 (images/1.jpg): the image has another split in an earlier line",
        "line 15: the path is empty",
        "line 17 (images/caf\\xe9.jpg,cat,): the text is not UTF-8",
    ):
        assert words in said, words
    assert said.startswith("12 problems were found before training:")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([line(0), "text"], r'line 2 \("text"\): the line is not a JSON object'),
        ([line(0), {"job": 1}], "line 2: source-ref is missing"),
        ([line(0), {"source-ref": "images/1.jpg"}], "line 2 .images/1.jpg.: the label is empty or missing"),
        ([line(0), line(1, other=1, **{"other-metadata": {}})], "several label attributes: job, other"),
        ([line(0), line(1, **{"source-ref": "s3://second/images/1.jpg"})], "line 2 .*the object is in another bucket"),
        ([{"source-ref": "images/0.jpg", "boxes": [1]}], r"line 1 \(\[1\]\): the label is neither a text nor an"),
        ([line(0, split=3)], r"line 1 \(3\): the split is unknown"),
    ],
)
def test_mistakes_in_augmented_manifests(tmp_path: Path, lines: list[Any], message: str) -> None:
    """JSON lines with a mistake -> its line, what is wrong and what to do."""
    with pytest.raises(UserError, match=message):
        listed(channel(tmp_path, text_of(lines), "a.manifest"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\n", "lists no image"),
        ("name,class\nimages/0.jpg,cat", r"line 1 \(name,class\): the first row neither names the columns"),
        ("images/0.jpg,cat\nimages/1.jpg,cat", "has one label, cat; a classifier needs two"),
    ],
)
def test_unusable_manifest_is_explained(tmp_path: Path, text: str, message: str) -> None:
    """A manifest of nothing, without columns, of one class -> one sentence."""
    with pytest.raises(UserError, match=message):
        listed(channel(tmp_path, text))


def test_manifest_in_utf16_is_explained(tmp_path: Path) -> None:
    """Excel's Unicode text -> named as such."""
    channel(tmp_path, "")
    (tmp_path / "manifest.csv").write_bytes("\n".join(ROWS).encode("utf-16"))
    with pytest.raises(UserError, match=r"manifest\.csv is in UTF-16\. Save it as UTF-8"):
        listed(tmp_path)


def test_two_manifests_are_rejected(tmp_path: Path) -> None:
    """A second manifest -> both by name; another table beside it -> used as before."""
    put(channel(tmp_path, "\n".join(ROWS)), "notes.csv", content=b"when,what\n1,x")
    assert labels(listed(tmp_path)) == EXPECTED
    put(tmp_path, "old.csv", content=ROWS[0].encode())
    with pytest.raises(UserError, match=r"holds 2 manifests: manifest\.csv, old\.csv"):
        listed(tmp_path)


def test_other_tables_leave_class_folders_as_they_are(tmp_path: Path) -> None:
    """Class folders beside tables without our columns -> the folders are the classes."""
    put(tmp_path, "cat/1.jpg", "dog/1.jpg", "build.manifest", "empty.csv")
    put(tmp_path, "meta.csv", content=b"camera,day\nx,1")
    assert listed(tmp_path).class_names == ("cat", "dog")


def test_repeated_lines_count_once(tmp_path: Path) -> None:
    """A line twice, also in another spelling -> the image once, and a note for the log."""
    found = channel_scan.scan(channel(tmp_path, "\n".join([*ROWS, ROWS[0], f"./{ROWS[1]}"])), "training")
    assert not found.problems
    assert len(found.listing.examples) == 8
    assert any("2 line(s) repeat an earlier one" in note for note in found.notes)


def test_names_in_another_unicode_form_are_found(tmp_path: Path) -> None:
    """A manifest written on macOS, files uploaded in composed form -> found; labels are composed."""
    put(tmp_path, "é/1.jpg", "é/2.jpg")
    text = unicodedata.normalize("NFD", "é/1.jpg,café\né/2.jpg,thé")
    put(tmp_path, "manifest.csv", content=text.encode())
    assert labels(listed(tmp_path)) == {"é/1.jpg": "café", "é/2.jpg": "thé"}


def test_no_folder_is_walked_and_no_image_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FastFile mode streams: the channel's own folder is listed, others are not, and images are not opened."""
    channel(tmp_path, "\n".join(ROWS))
    walked: list[str] = []
    opened: list[str] = []
    scandir, read = os.scandir, Storage.read

    def listing(path: str) -> Any:
        walked.append(path)
        return scandir(path)

    def reading(storage: Storage, path: Path, size: int = -1) -> bytes:
        opened.append(path.name)
        return read(storage, path, size)

    monkeypatch.setattr(os, "scandir", listing)
    monkeypatch.setattr(Storage, "read", reading)
    assert len(listed(tmp_path).examples) == 8
    assert walked == [str(tmp_path)]
    assert set(opened) == {"manifest.csv"}


def test_manifest_keeps_the_fingerprint_of_class_folders(tmp_path: Path) -> None:
    """The same files and labels by folders and by a manifest -> the same fingerprint, so a job resumes."""
    put(tmp_path, "cat/1.jpg", "dog/1.jpg")
    before = dataset.fingerprint(listed(tmp_path))
    put(tmp_path, "manifest.csv", content=b"dog/1.jpg,dog\ncat/1.jpg,cat")
    assert dataset.fingerprint(listed(tmp_path)) == before


def test_folder_is_named_by_its_manifest(tmp_path: Path) -> None:
    """The manifest's path instead of the folder's -> the folder; another file, or a second manifest -> rejected."""
    manifest = channel(tmp_path, "\n".join(ROWS)) / "manifest.csv"
    assert manifests.folder_of(manifest, "--training") == manifests.folder_of(tmp_path, "--training") == tmp_path
    with pytest.raises(UserError, match=r"--training .*0\.jpg is not a manifest"):
        manifests.folder_of(tmp_path / IMAGES[0], "--training")
    put(tmp_path, "old.csv", content=ROWS[0].encode())
    with pytest.raises(UserError, match="holds 2 manifests"):
        manifests.folder_of(manifest, "--training")


def test_backslashes_are_named_as_the_cause(tmp_path: Path) -> None:
    """Paths as Windows writes them -> the sentence names the backslashes, not files that are missing."""
    with pytest.raises(UserError, match=r"line.* 2 \(a\\1\.jpg\).*the path has backslashes\. Separate folders by /\."):
        listed(channel(tmp_path, "path,label\na\\1.jpg,cat\na\\2.jpg,dog\n"))


@pytest.mark.parametrize("columns", ["path,label,label", "path,Label,LABEL", "path,label,split,path"])
def test_column_that_is_named_twice_is_rejected(tmp_path: Path, columns: str) -> None:
    """Two columns of labels, as of two annotators -> rejected; neither is chosen silently."""
    row = ",".join(IMAGES[0] if "path" in name else "cat" for name in columns.lower().split(","))
    with pytest.raises(UserError, match=r"line 1 \(.*\): the first row names a column twice\. Leave one path"):
        listed(channel(tmp_path, f"{columns}\n{row}\n"))


def test_attribute_that_is_given_twice_is_rejected(tmp_path: Path) -> None:
    """A line with two classes under one name -> rejected by name; the last one is not taken silently."""
    text = f'{{"source-ref": "{IMAGES[0]}", "class": 0, "class": 1}}\n'
    with pytest.raises(UserError, match=r"line 1 \('class' is given twice.*\): the object names an attribute twice"):
        listed(channel(tmp_path, text, "a.jsonl"))
