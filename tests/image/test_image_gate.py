"""The verb `gate` on the two archives that the platform makes of a training job."""

import json
import tarfile
from pathlib import Path

from tests.image.containers import ISOLATED, Job, Start


def test_gate_writes_the_figures_of_a_job(start: Start, trained: Job, tmp_path: Path) -> None:
    """Given model.tar.gz and output.tar.gz of a job -> exit code 0, its accuracy as a number, its baseline."""
    for name, archive, folder in (("model", "model", "model"), ("reports", "output", "output/data")):
        target = tmp_path / "processing/input" / name
        target.mkdir(parents=True)
        with tarfile.open(target / f"{archive}.tar.gz", "w:gz") as packed:
            packed.add(trained.opt_ml / folder, ".")
    container = start("gate", options=(*ISOLATED, "--volume", f"{tmp_path}:/opt/ml"))
    assert container.exit_code() == 0, container.log()
    output = tmp_path / "processing/output"
    found = json.loads((output / "gate.json").read_text(encoding="utf-8"))
    metrics = json.loads((trained.opt_ml / "output/data/metrics.json").read_text(encoding="utf-8"))
    assert abs(found["accuracy"] - metrics["val_accuracy"]) < 1e-6
    assert found["has_openvino"] == 1
    assert json.loads((output / "constraints.json").read_text(encoding="utf-8"))["features"]
