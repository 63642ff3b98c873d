from pathlib import Path

import pytest

from image_classifier.console.roots import Roots, allow
from image_classifier.contract.errors import UserError


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    """Return the allow-list of one folder with a class folder in it, beside a folder that is not allowed."""
    (tmp_path / "photos" / "cats").mkdir(parents=True)
    (tmp_path / "photos-private").mkdir()
    (tmp_path / "photos-private" / "secret.txt").write_text("secret")
    return allow([tmp_path / "photos"])


def test_folder_inside_is_resolved(roots: Roots, tmp_path: Path) -> None:
    """Given an absolute or a relative path of an allowed folder, with detours -> its real path."""
    expected = (tmp_path / "photos" / "cats").resolve()
    for given in (expected, "cats", "./cats/../cats", f"{tmp_path}/photos/cats/"):
        assert roots.resolve_folder(given) == expected


@pytest.mark.parametrize("given", ["..", "../photos-private/secret.txt", "/etc/passwd", "/", "~", "cats/../../.."])
def test_path_outside_is_rejected(given: str, roots: Roots) -> None:
    """Given a path that leads out of the allowed folders -> a sentence that names them and the remedy."""
    with pytest.raises(UserError, match=r"outside the folders .*photos.*--root"):
        roots.resolve(given)


def test_link_out_of_a_root_is_rejected(roots: Roots, tmp_path: Path) -> None:
    """Given a link in an allowed folder to a file or a folder outside -> rejected, and so is a path through it."""
    (tmp_path / "photos" / "link").symlink_to(tmp_path / "photos-private")
    for given in ("link", "link/secret.txt"):
        with pytest.raises(UserError, match="outside"):
            roots.resolve(given)


def test_link_within_a_root_is_followed(roots: Roots, tmp_path: Path) -> None:
    """Given a link to another place in an allowed folder -> the real path."""
    (tmp_path / "photos" / "link").symlink_to("cats")
    assert roots.resolve("link") == (tmp_path / "photos" / "cats").resolve()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("dogs", "does not exist"),
        ("a\0b", "cannot be looked up"),
        ("x" * 5000, "cannot be looked up"),
        ("~nouser-of-this-name/x", "cannot be looked up"),
        ("loop", "cannot be looked up"),
        ("line\nfeed <script>", r"line\\x0afeed <script> does not exist"),
    ],
)
def test_hostile_names_are_answered_with_one_line(given: str, sentence: str, roots: Roots, tmp_path: Path) -> None:
    """Given a name that no file can have, is too long, or loops -> one short line, in which it is escaped."""
    (tmp_path / "photos" / "loop").symlink_to("loop")
    with pytest.raises(UserError, match=sentence) as raised:
        roots.resolve(given)
    assert len(str(raised.value)) < 600
    assert str(raised.value).isprintable()


def test_file_is_no_folder(roots: Roots, tmp_path: Path) -> None:
    """Given a file where a folder is expected -> rejected."""
    (tmp_path / "photos" / "one.png").write_bytes(b"")
    with pytest.raises(UserError, match="is a file"):
        roots.resolve_folder("one.png")


def test_every_root_must_be_a_folder(tmp_path: Path) -> None:
    """Given roots that do not exist -> all of them are named at once."""
    with pytest.raises(UserError, match=r"missing-1.*missing-2"):
        allow([tmp_path, tmp_path / "missing-1", tmp_path / "missing-2"])
