"""What the console does not import before a page needs it: its start and its memory are those of Flask and itself."""

import subprocess
import sys
from pathlib import Path

from image_classifier import PROGRAM

SLOW = (
    *("PIL", "boto3", "botocore", "cleanlab", "matplotlib", "numpy", "openvino", "optuna", "pandas", "rich", "scipy"),
    *("simplejpeg", "sklearn", "tensorflow"),
)
_OPEN = """
import sys
from pathlib import Path
from tests.support.consoles import client_of, make_console

folder, addresses, *slow = sys.argv[1:]
client = client_of(make_console(Path(folder)))
assert [client.get(address).status_code for address in addresses.split()] == [200] * len(addresses.split())
print(*sorted(set(slow).intersection(sys.modules)))
"""


def imported(folder: Path, addresses: str) -> list[str]:
    """Return which slow libraries a fresh process has imported after its start and some pages."""
    command = [sys.executable, "-c", _OPEN, str(folder), addresses, *SLOW]
    paths = f"{PROGRAM}:{Path(__file__).parents[3]}"
    done = subprocess.run(command, env={"PYTHONPATH": paths}, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split()


def test_slow_libraries_are_not_imported_by_the_start_and_the_first_pages(tmp_path: Path) -> None:
    """Given a fresh process that makes the application and shows its screens -> no library for arrays, images, AWS."""
    assert imported(tmp_path, "/data /models /train /jobs /deployments") == []


def test_results_import_numpy_when_they_are_asked_for(tmp_path: Path) -> None:
    """Given a fresh process that shows the results -> NumPy is there, so that the check above can fail."""
    assert "numpy" in imported(tmp_path, "/results")
