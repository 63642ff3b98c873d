import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from image_classifier.console import tasks
from image_classifier.console.context import Console
from image_classifier.console.datasets import health, known, labels
from tests.support.consoles import client_of, make_console
from tests.support.data_folders import write_classes
from tests.support.waiting import wait_until


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """A console in an empty folder, whose health checks end with the test."""
    found = make_console(tmp_path)
    yield found
    for data_set in known.every(found.home):
        tasks.cancel(health.folder(found.home, data_set.key))


@pytest.fixture
def client(console: Console) -> FlaskClient:
    """Its browser."""
    return client_of(console)


def added(client: FlaskClient, folder: Path) -> str:
    """Add a folder as a user does and return the data set's key."""
    answer = client.post("/data", data={"training": str(folder)})
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"].rpartition("/")[2]


def images_of(page: str) -> list[str]:
    """Return the images that a page's grid offers for selection."""
    return [html.unescape(value) for value in re.findall(r'name="image" value="([^"]*)"', page)]


def test_folder_is_added_looked_at_and_removed(client: FlaskClient, tmp_path: Path) -> None:
    """Given a folder of classes -> pages with counts and thumbnails, and removing it keeps the files."""
    photos = write_classes(tmp_path / "photos", {"roses": 3, "tulips": 2})
    key = added(client, photos)
    page = client.get(f"/data/{key}").text
    assert "5 images in 2 classes" in page
    assert f"../train?data={key}" in page
    first = images_of(client.get(f"/data/{key}/images").text)[0]
    answer = client.get(f"/thumbnails/{key}", query_string={"path": first})
    assert (answer.status_code, answer.mimetype) == (200, "image/webp")
    again = client.get(
        f"/thumbnails/{key}", query_string={"path": first}, headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304
    client.post(f"/data/{key}/remove", data={"action": "forget"})
    assert client.get(f"/data/{key}").status_code == 404
    assert len(list(photos.rglob("*.png"))) == 5


def test_pages_reach_every_image_without_a_script(client: FlaskClient, tmp_path: Path) -> None:
    """Given more images than a page holds -> the links to the next pages show each image once."""
    key = added(client, write_classes(tmp_path / "photos", {"a": 130, "b": 120}))
    seen, address = [], f"/data/{key}/images"
    while address:
        page = client.get(address).text
        seen += images_of(page)
        following = re.search(r'rel="next" href="\./images\?([^"]+)"', page)
        address = f"/data/{key}/images?{html.unescape(following[1])}" if following else ""
    assert len(seen) == 250
    assert len(set(seen)) == 250


def test_window_has_the_rows_that_were_asked_for(client: FlaskClient, tmp_path: Path) -> None:
    """Given a class and a window of it -> its images alone, and the total for the scroll bar."""
    key = added(client, write_classes(tmp_path / "photos", {"a": 30, "b": 40}))
    found = client.get(f"/data/{key}/rows?class=b&start=10&stop=13").get_json()
    assert found["total"] == 40
    assert [row["name"] for row in found["rows"]] == ["010.png", "011.png", "012.png"]
    assert client.get(f"/data/{key}/rows?class=b&text=039").get_json()["total"] == 1


def test_labels_change_in_the_overlay_alone(client: FlaskClient, console: Console, tmp_path: Path) -> None:
    """Given moved and excluded images -> page and file say so, undo takes it back, and no file has moved."""
    photos = write_classes(tmp_path / "photos", {"a": 3, "b": 2})
    before = sorted(photos.rglob("*"))
    key = added(client, photos)
    moved = {"action": "move", "new_class": "c", "image": ["training/a/000.png", "training/a/001.png"], "revision": 0}
    assert client.post(f"/data/{key}/labels", data=moved).status_code == 303
    excluded = {"action": "exclude", "image": "training/b/000.png", "revision": 1}
    assert client.post(f"/data/{key}/labels", data=excluded).status_code == 303
    page = client.get(f"/data/{key}").text
    assert "4 images in 3 classes" in page
    assert "1 excluded" in page
    assert images_of(client.get(f"/data/{key}/images?class=c").text) == moved["image"]
    client.post(f"/data/{key}/labels", data={"action": "undo", "revision": 2})
    assert labels.read(console.home, key).labels == dict.fromkeys(["training/a/000.png", "training/a/001.png"], "c")
    assert sorted(photos.rglob("*")) == before


def test_second_tab_loses_nothing(client: FlaskClient, console: Console, tmp_path: Path) -> None:
    """Given two tabs of one revision -> the slower one gets 409 with its selection, and can repeat it."""
    key = added(client, write_classes(tmp_path / "photos", {"a": 3, "b": 2}))
    address = f"/data/{key}/labels"
    client.post(address, data={"action": "exclude", "image": "training/a/000.png", "revision": 0})
    late = {"action": "exclude", "image": "training/a/001.png", "revision": 0}
    answer = client.post(address, data=late)
    assert answer.status_code == 409
    assert "another tab" in answer.text
    assert 'value="training/a/001.png" checked' in answer.text
    assert 'name="revision" value="1"' in answer.text
    scripted = client.post(address, data=late, headers={"Accept": "application/json"})
    assert scripted.status_code == 409
    assert scripted.get_json()["revision"] == 1
    assert client.post(address, data={**late, "revision": 1}).status_code == 303
    assert len(labels.read(console.home, key).labels) == 2


def test_everything_that_a_filter_shows_is_changed_at_once(
    client: FlaskClient, console: Console, tmp_path: Path
) -> None:
    """Given all images of a filter selected -> all of them change, also those that no page has shown, and no other."""
    key = added(client, write_classes(tmp_path / "photos", {"a": 150, "b": 2}))
    client.post(f"/data/{key}/labels", data={"action": "exclude", "all": "1", "class": "a", "revision": 0})
    overlay = labels.read(console.home, key)
    assert len(overlay.labels) == 150
    assert all(image.startswith("training/a/") for image in overlay.labels)


def test_check_finds_and_mends_what_is_wrong(client: FlaskClient, tmp_path: Path) -> None:
    """Given a broken image and an exact copy -> the page names both after the check, and its buttons exclude them."""
    photos = write_classes(tmp_path / "photos", {"a": 12, "b": 12})
    (photos / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    (photos / "b" / "copy.png").write_bytes((photos / "b" / "003.png").read_bytes())
    key = added(client, photos)
    wait_until(lambda: "images checked in" in client.get(f"/data/{key}").text, 60, "the check has ended", 0.2)
    page = client.get(f"/data/{key}").text
    assert "Unreadable files" in page
    assert "Exact duplicates" in page
    assert images_of(client.get(f"/data/{key}/images?finding=duplicates").text) == [
        "training/b/003.png",
        "training/b/copy.png",
    ]
    assert "The image is corrupt" in client.get(f"/data/{key}/images?class=a").text
    client.post(f"/data/{key}/findings/unreadable", data={"revision": 0})
    client.post(f"/data/{key}/findings/duplicates", data={"revision": 1})
    page = client.get(f"/data/{key}").text
    assert "Nothing to fix" in page
    assert "2 excluded" in page


def test_mistakes_are_said_where_they_were_made(client: FlaskClient, tmp_path: Path) -> None:
    """Given a folder that cannot be used -> the form again with its input and a sentence."""
    for given, sentence in (("nowhere", "does not exist"), ("/etc", "outside the folders"), ("", "needs training")):
        answer = client.post("/data", data={"training": given})
        assert answer.status_code == 400
        assert sentence in answer.text
        assert f'value="{given}"' in answer.text
    assert client.get("/data/unknown-12345678").status_code == 404
    assert client.get("/data/folders", query_string={"path": "/etc"}).status_code == 400


def test_folder_is_chosen_by_links_alone(client: FlaskClient, tmp_path: Path) -> None:
    """Given nested folders -> links lead from the first allowed folder to one of them, and it is in the form."""
    write_classes(tmp_path / "albums" / "flowers & trees", {"a": 1, "b": 1})
    page = client.get("/data/folders").text
    albums = html.unescape(re.search(r'href="\./folders\?([^"]*albums[^"]*)"', page)[1])  # type: ignore[index]
    page = client.get(f"/data/folders?{albums}").text
    flowers = html.unescape(re.search(r'href="\./folders\?([^"]*flowers[^"]*)"', page)[1])  # type: ignore[index]
    page = client.get(f"/data/folders?{flowers}").text
    chosen = html.unescape(re.search(r'class="action" href="\.\./data\?([^"]*)"', page)[1])  # type: ignore[index]
    assert html.escape(f"{tmp_path}/albums/flowers & trees") in client.get(f"/data?{chosen}").text
