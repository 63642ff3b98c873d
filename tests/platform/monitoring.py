"""`container/monitor` as SageMaker starts it, on requests to a real server in the form of its data capture."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.platform.serving import ROOT, Server
from tests.support import captured

ACCEPT = "application/json;verbose;embedding"


def capture(server: Server, images: Iterable[bytes], into: Path) -> Path:
    """Send images, and write requests and responses as an endpoint's data capture does; return the folder."""
    lines = []
    for image in images:
        answer = server.classify(image, Accept=ACCEPT)
        assert answer.status == 200, answer.body
        lines.append(captured.line(image, answer.body))
    return captured.write(into, lines)


def run_monitor(base: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the monitoring program on a folder that stands for /opt/ml."""
    process = start_monitor(base, **variables)
    output, errors = process.communicate(timeout=200)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def start_monitor(base: Path, **variables: str) -> subprocess.Popen[str]:
    """Start the monitoring program on a folder that stands for /opt/ml."""
    places = {
        "SAGEMAKER_BASE_DIR": str(base),
        "dataset_source": str(base / "processing/input/capture"),
        "MONITOR_MODEL": str(base / "processing/input/model"),
        "output_path": str(base / "processing/output"),
    }
    environment = {**os.environ, **places, **variables}
    command = [sys.executable, str(ROOT / "container" / "monitor")]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
