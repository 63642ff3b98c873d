"""The README: short, with a screenshot, and nothing in it that does not exist."""

import json
import re
import shlex

import pytest
from PIL import Image

from tests.families import page
from tests.repository.project import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
MOST_WORDS = 1000
SCREENSHOTS = [ROOT / path for path in re.findall(r"^!\[.+\]\((.+\.png)\)$", README, re.MULTILINE)]
LARGEST_BYTES = 150_000
NOT_RUN = re.sub(r"^```bash\nscripts/setup\n.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
"""Without the commands that test_readme_on_sagemaker.py runs."""
COMMANDS = sorted(set(re.findall(r"scripts/([a-z][a-z-]+)", README)))


def test_readme_is_short() -> None:
    """Given the README -> at most 1,000 words."""
    assert len(README.split()) <= MOST_WORDS


def test_screenshots_are_small() -> None:
    """Given the two screenshots that the README shows -> PNGs of at most 150 kB, as wide as a screen."""
    assert len(SCREENSHOTS) == 2
    for path in SCREENSHOTS:
        assert path.stat().st_size <= LARGEST_BYTES
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert image.width >= 800


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists(name: str) -> None:
    """Given a command of the README -> a file in scripts/, or the folder of tools."""
    assert (ROOT / "scripts" / name).exists()


def options_of(line: str) -> list[str]:
    """Return the long options that a command line of the README gives."""
    return [word.split("=")[0] for word in shlex.split(line) if word.startswith("--")]


@pytest.mark.parametrize("line", re.findall(r"scripts/[a-z-]+(?: [^`\n,]+)? --[^`\n,]+", NOT_RUN))
def test_every_option_exists(line: str) -> None:
    """Given a command of the README with options -> its script, or the module that it starts, knows each of them."""
    name = re.findall(r"scripts/([a-z-]+)", line)[0]
    sources = [
        ROOT / "scripts" / name,
        *(ROOT / "container" / "image_classifier").rglob(f"{name.replace('-', '_')}.py"),
    ]
    sources += (
        [ROOT / "container" / "image_classifier" / "model_hub" / "staging.py"] if name == "stage-backbone" else []
    )
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    assert [option for option in options_of(line) if option not in text] == []


def test_status_says_what_was_never_run() -> None:
    """Given the first screen -> a status of four lines: CPU, GPU, AWS, and where models come from."""
    status = [line for line in README.splitlines()[:20] if line.startswith("> - ")]
    assert len(status) == 4
    assert sum("never" in line for line in status) == 3


def test_table_of_models_shows_what_was_measured() -> None:
    """Given the five rows of models -> parameters, rate and memory are those of docs/reference/families.json."""
    rows = re.findall(
        r"^\| ([\w .-]+?)(?:, the default)? \| ([\d.]+) M \| .+ \| (\d+) \| (\d+) \|$", README, re.MULTILINE
    )
    measured = json.loads(page.DATA.read_text(encoding="utf-8"))["rows"]
    assert len(rows) == 5
    for name, parameters, rate, megabytes in rows:
        row = measured[name]
        assert float(parameters) == round(row["parameters"] / 1e6, 1)
        assert (int(rate), int(megabytes)) == (round(row["openvino_rate"]), row["openvino_megabytes"])
