"""What staging says of the OpenVINO IR of a pre-trained classifier."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from image_classifier.model_hub import pretrained_classifier


@pytest.mark.parametrize(
    ("code", "said"),
    [(0, "The model has an OpenVINO IR now."), (1, "UserError: The model gets no OpenVINO IR: a reason.")],
    ids=["added", "left-out"],
)
def test_temporary_folder_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, said: str
) -> None:
    """Given what the conversion of a temporary folder prints -> the same, with the model in place of the folder."""

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        written = said.replace("The model", command[-1])
        return subprocess.CompletedProcess(command, code, *((written, "") if code == 0 else ("", written)))

    monkeypatch.setattr(subprocess, "run", run)
    assert pretrained_classifier.add_ir(tmp_path) is (code == 0)
    assert capsys.readouterr().out == f"{said}\n"
