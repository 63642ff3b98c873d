"""GitHub's workflows: valid, and the same commands as on a developer's machine."""

from pathlib import Path
from typing import Any

import check_jsonschema  # type: ignore[import-untyped, unused-ignore]
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML  # type: ignore[import-untyped, unused-ignore]

from tests.repository.project import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())
PREPARATION = "apt-get update && apt-get install "


def violations(workflow: Path) -> str:
    """Return what GitHub's schema of workflows, as check-jsonschema brings it, finds; empty when it is valid."""
    done = CliRunner().invoke(check_jsonschema.main, ["--builtin-schema", "vendor.github-workflows", str(workflow)])
    return "" if done.exit_code == 0 else done.output


def read(name: str) -> dict[str, Any]:
    """Return a workflow."""
    found = YAML(typ="safe").load((ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def commands(job: dict[str, Any]) -> list[str]:
    """Return what a job runs after it has installed Debian's packages, once for each value of its matrix."""
    words = [step["run"] for step in job["steps"] if "run" in step]
    assert words.pop(0).startswith(PREPARATION)
    scripts = job.get("strategy", {}).get("matrix", {}).get("script", [""])
    return [word.replace("${{ matrix.script }}", script) for word in words for script in scripts]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=[path.name for path in WORKFLOWS])
def test_workflow_is_valid(workflow: Path) -> None:
    """Given a workflow -> it follows the schema of GitHub's workflows."""
    assert violations(workflow) == ""


def test_invalid_workflow_is_noticed(tmp_path: Path) -> None:
    """Given a workflow with a misspelt key -> the check names it."""
    broken = tmp_path / "ci.yml"
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    broken.write_text(text.replace("runs-on", "run-on"), encoding="utf-8")
    assert "run-on" in violations(broken)


def test_each_change_runs_what_has_to_pass() -> None:
    """Given a push or a pull request -> .ci/run, nothing else, and no right to write."""
    workflow = read("ci.yml")
    assert set(workflow["on"]) == {"push", "pull_request"}
    assert workflow["permissions"] == {"contents": "read"}
    assert commands(workflow["jobs"]["ci"]) == [".ci/run"]


def test_each_night_runs_everything() -> None:
    """Given the night -> both scripts with --all, and no right to write."""
    workflow = read("nightly.yml")
    assert set(workflow["on"]) == {"schedule", "workflow_dispatch"}
    assert workflow["permissions"] == {"contents": "read"}
    assert commands(workflow["jobs"]["all"]) == ["scripts/test --all", "scripts/test-image --all"]


def test_actions_are_githubs_own() -> None:
    """Given every step that uses an action -> it is one of GitHub's, at a version."""
    texts = [path.read_text(encoding="utf-8") for path in WORKFLOWS]
    used = [line.partition("uses: ")[2] for text in texts for line in text.splitlines() if "uses: " in line]
    assert used
    assert all(action.startswith("actions/") and "@v" in action for action in used), used
