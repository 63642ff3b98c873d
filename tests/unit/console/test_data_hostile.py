import html
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from image_classifier.console import tasks
from image_classifier.console.datasets import contents, health_process, known, labels
from image_classifier.console.datasets.known import DataSet
from tests.support.consoles import client_of, make_console
from tests.support.data_folders import image_bytes
from tests.support.unprivileged import modes_count

MARKUP = "<script>alert('x')<∕script>\"&"
NAMES = (
    MARKUP,
    "two\nlines",
    "\u202egnp.abc \u0645\u0631\u062d\u0628\u0627",
    "x" * 60,
    "~tilde",
    "caf\udce9",
    "100 %2f",
)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """Classes with awkward names, broken files, a pipe, links out of the folder, and an image in each class."""
    folder = tmp_path / "photos"
    for name in NAMES:
        (folder / name).mkdir(parents=True)
        (folder / name / f"{MARKUP}\n.png").write_bytes(image_bytes(name))
    (folder / MARKUP / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 <b>broken</b>")
    (folder / MARKUP / "empty.png").write_bytes(b"")
    # A header that announces 4 gigapixels.
    (folder / MARKUP / "bomb.png").write_bytes(
        image_bytes("bomb")[:16] + b"\0\0\xff\xff" * 2 + b"\x08\x02\0\0\0" + bytes(9)
    )
    os.mkfifo(folder / "~tilde" / "pipe.png")
    (tmp_path / "secret.png").write_bytes(image_bytes("secret"))
    (folder / "~tilde" / "out.png").symlink_to(tmp_path / "secret.png")
    (folder / "~tilde" / "loop").symlink_to(folder)
    return folder


@pytest.fixture
def data_set(hostile: Path, tmp_path: Path) -> DataSet:
    """It, known to a console."""
    return known.add(tmp_path / "home", MARKUP, {"training": hostile})


@pytest.fixture
def client(data_set: DataSet, tmp_path: Path) -> Iterator[FlaskClient]:
    """The browser of that console."""
    console = make_console(tmp_path)
    yield client_of(console)
    tasks.cancel(console.home / "cache" / "health" / data_set.key)


def test_every_page_shows_names_as_text(client: FlaskClient, data_set: DataSet) -> None:
    """Given names with markup -> no page holds it as markup, and each is shown with control characters escaped."""
    for address in ("/data", f"/data/{data_set.key}", f"/data/{data_set.key}/images"):
        page = client.get(address)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "\udce9" not in page.text
    assert r"two\x0alines" in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_every_image_is_reached_and_changed_whatever_its_name(client: FlaskClient, data_set: DataSet) -> None:
    """Given the values that the grid holds -> each leads to a thumbnail, and back to its image in a form."""
    page = client.get(f"/data/{data_set.key}/images").text
    images = [html.unescape(value) for value in re.findall(r'name="image" value="([^"]*)"', page)]
    assert len(images) == len(NAMES) + 3
    kinds = [client.get(f"/thumbnails/{data_set.key}", query_string={"path": image}).mimetype for image in images]
    assert kinds.count("image/webp") == len(NAMES)
    assert kinds.count("image/svg+xml") == 3
    # Browsers send line feeds of forms as two characters.
    assert not any("\n" in image for image in images)
    answer = client.post(f"/data/{data_set.key}/labels", data={"action": "exclude", "image": images, "revision": 0})
    assert answer.status_code == 303
    classes = re.findall(r'<option value="([^"]+)"', client.get(f"/data/{data_set.key}/images").text)
    for name in map(html.unescape, classes[: len(NAMES)]):
        assert client.get(f"/data/{data_set.key}/images", query_string={"class": name}).status_code == 200


def test_broken_image_says_why(client: FlaskClient, data_set: DataSet) -> None:
    """Given broken, empty and enormous images -> a drawing with the reason as text, which holds no markup of theirs."""
    for name, reason in (("broken.jpg", "corrupt"), ("empty.png", "empty"), ("bomb.png", "pixels")):
        answer = client.get(f"/thumbnails/{data_set.key}", query_string={"path": f"training/{MARKUP}/{name}"})
        assert answer.mimetype == "image/svg+xml"
        assert reason in re.sub("<[^>]*>", " ", answer.text)
        assert "<b>" not in answer.text


def test_no_request_leaves_the_folder(client: FlaskClient, data_set: DataSet, hostile: Path) -> None:
    """Given paths above the folder, links out of it, and a folder that became a link -> nothing of it is shown."""
    for path in (
        "../secret.png",
        "training/../secret.png",
        "training/~tilde/out.png",
        "/etc/passwd",
        "training//etc/passwd",
    ):
        assert client.get(f"/thumbnails/{data_set.key}", query_string={"path": path}).status_code == 404
    name = "x" * 60
    (hostile / name).rename(hostile / "away")
    (hostile / name).symlink_to("/etc")
    (hostile / "away").rename(hostile.parent / "away")
    (hostile.parent / "away" / f"{MARKUP}\n.png").rename(hostile.parent / "secret2.png")
    image = f"training/{name}/{MARKUP}\n.png"
    assert client.get(f"/thumbnails/{data_set.key}", query_string={"path": image}).status_code == 404


def test_image_that_vanishes_or_is_exchanged_says_so(client: FlaskClient, data_set: DataSet, hostile: Path) -> None:
    """Given files that vanish, or become a link out of the folder or a pipe after the scan -> a drawing, at once."""
    found = contents.read(data_set)
    channel = found.channels[0]
    rows = [row for row, path in enumerate(channel.files) if path.endswith("\n.png")][:3]
    paths = [channel.folder / channel.files[row] for row in rows]
    paths[0].unlink()
    paths[1].unlink()
    paths[1].symlink_to(hostile.parent / "secret.png")
    paths[2].unlink()
    os.mkfifo(paths[2])
    from image_classifier.console.datasets import thumbnail_store, thumbnails

    store = thumbnail_store.Store(hostile.parent / "thumbnails.sqlite")
    problems = [thumbnails.of(store, channel, row).problem for row in rows]
    assert "does not exist any more" in problems[0]
    assert "leads out of" in problems[1]
    assert "not a regular file" in problems[2]


def test_check_survives_all_of_it(data_set: DataSet, tmp_path: Path) -> None:
    """Given everything hostile at once -> the check names the unreadable files and what training would reject."""
    found = contents.read(data_set, fresh=True)
    facts = health_process.check(data_set, found, "", tasks.Reporter(tmp_path))
    unreadable = {image.rpartition("/")[2] for image in facts.unreadable}
    assert unreadable == {"broken.jpg", "empty.png", "bomb.png"}
    assert any("leads out of it" in rule for rule in facts.rules)
    assert any("control characters" in rule for rule in facts.rules)
    assert any("pipe" in note for note in facts.notes)


def test_unreadable_folder_is_named(client: FlaskClient, data_set: DataSet, hostile: Path) -> None:
    """Given a class folder without permission -> its page names it and shows the others."""
    (hostile / "~tilde").chmod(0)
    try:
        with modes_count():
            page = client.get(f"/data/{data_set.key}").text
    finally:
        (hostile / "~tilde").chmod(0o755)
    assert "cannot be read: ~tilde" in page
    assert "x" * 60 in page


def test_labels_of_odd_names_survive_the_file(data_set: DataSet, tmp_path: Path) -> None:
    """Given an image whose name is not UTF-8 -> the overlay gives back exactly that name."""
    image = f"training/caf\udce9/{MARKUP}\n.png"
    labels.edit(tmp_path / "home", data_set.key, labels.Edit(labels.Action.EXCLUDE, (image,)), 0)
    labels._read.cache_clear()
    assert labels.read(tmp_path / "home", data_set.key).labels == {image: None}
