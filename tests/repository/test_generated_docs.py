"""What scripts/docs writes and finds stale, in a folder of the test's and in this repository."""

import subprocess
from pathlib import Path

import pytest

from image_classifier.contract.hyperparameters import DECLARATIONS
from image_classifier.contract.metrics import definitions
from tools.documents import reference

ROOT = Path(__file__).parents[2]
PAGES = ("docs/reference/hyperparameters.md", "docs/reference/metrics.md")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A folder with the generated pages."""
    assert reference.main([], tmp_path) == 0
    return tmp_path


def test_this_repository_is_up_to_date() -> None:
    """scripts/docs --check here -> exit code 0 and no output."""
    done = subprocess.run([ROOT / "scripts" / "docs", "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_everything_declared_is_in_the_reference(written: Path) -> None:
    """All declarations -> each hyperparameter with its aliases, and each metric, on their pages."""
    page, metrics_page = ((written / name).read_text() for name in PAGES)
    for declared in DECLARATIONS:
        assert f"\n| `{declared.name}` | " in page
        assert all(f"`{alias}`" in page for alias in declared.aliases)
    for item in definitions():
        assert f"`{item['Name']}`" in metrics_page
        assert f"`{item['Regex']}`" in metrics_page


def test_both_defaults_where_two_are_published(written: Path) -> None:
    """epochs, for which the guide and JumpStart differ -> both values in its row."""
    row = next(line for line in (written / PAGES[0]).read_text().splitlines() if line.startswith("| `epochs` |"))
    assert "| `3` | `5` |" in row


def test_nothing_to_do(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything up to date -> --check passes silently, writing changes nothing."""
    capsys.readouterr()
    assert reference.main(["--check"], written) == 0
    assert reference.main([], written) == 0
    assert capsys.readouterr().out == ""


def test_a_line_for_each_stale_file(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A page changed by hand, a page gone -> exit code 1, one line each, nothing changed."""
    (written / PAGES[0]).write_text("by hand")
    (written / PAGES[1]).unlink()
    capsys.readouterr()
    assert reference.main(["--check"], written) == 1
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [*PAGES]
    assert (written / PAGES[0]).read_text() == "by hand"
    assert not (written / PAGES[1]).exists()
