"""Images that the web UI offers."""

from pathlib import Path

from image_classifier.serving.page import samples


def test_system_files_are_not_offered(tmp_path: Path) -> None:
    """Given thumbnails of a NAS, AppleDouble files and hidden folders beside images -> the images alone."""
    for name in ("cat/1.jpg", "dog/2.png", "cat/._1.jpg", "cat/@eaDir/1.jpg", ".trash/3.jpg", "__MACOSX/4.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert samples.find(tmp_path) == (tmp_path / "cat/1.jpg", tmp_path / "dog/2.png")
