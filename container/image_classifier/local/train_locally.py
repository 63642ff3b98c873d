"""Run a training job on this machine: build the platform's tree, start `container/train`, show how far it is."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image_classifier import PROGRAM
from image_classifier.contract.errors import JobError, UserError, complain
from image_classifier.contract.opt_ml import BASE_DIR_VARIABLE, OptMl

_PROGRESS = re.compile(r"^(?P<phase>[^:]+): (?P<done>\d+)/(?P<total>\d+) pictures")


@dataclass(frozen=True)
class LocalJob:
    """What to train on and where to put the result."""

    training: Path
    model: Path
    output: Path
    validation: Path | None = None
    test: Path | None = None
    hyperparameters: Mapping[str, str] | None = None


def build_tree(job: LocalJob) -> OptMl:
    """Lay out `job.output` as the platform lays out /opt/ml; the channels are links to the given folders.

    Raises:
        UserError: A folder or the model is not there.
    """
    tree = OptMl(job.output.resolve())
    for old in (tree.base / "input", tree.model_dir, tree.base / "output"):
        shutil.rmtree(old, ignore_errors=True)
    (tree.base / "input" / "config").mkdir(parents=True)
    (tree.base / "input" / "data").mkdir()
    channels = {"training": job.training, "validation": job.validation, "test": job.test}
    for name, folder in channels.items():
        if folder is None:
            continue
        if not folder.is_dir():
            raise UserError(f"--{name} is {folder}, which is no folder. Give a folder with one sub-folder a class.")
        tree.channel_dir(name).symlink_to(folder.resolve())
    if not job.model.exists():
        raise UserError(f"--model is {job.model}, which does not exist. scripts/stage-backbone makes one.")
    if job.model.is_dir():
        tree.channel_dir("model").symlink_to(job.model.resolve())
    else:
        tree.channel_dir("model").mkdir()
        (tree.channel_dir("model") / "model.tar.gz").symlink_to(job.model.resolve())
    tree.hyperparameters_file.write_text(json.dumps(dict(job.hyperparameters or {})))
    hosts = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "lo"}
    tree.resource_config_file.write_text(json.dumps(hosts))
    for folder in (tree.model_dir, tree.output_data_dir):
        folder.mkdir(parents=True)
    return tree


def train(job: LocalJob, show: bool = True) -> int:
    """Run the job and return its exit code; its log goes to standard output."""
    tree = build_tree(job)
    environment = {**os.environ, BASE_DIR_VARIABLE: str(tree.base), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(PROGRAM / "train")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, errors="replace")
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if show:
                _show(line.rstrip("\n"))
        return process.wait()
    except KeyboardInterrupt:
        print("\nStopping: the best model so far is saved …", flush=True)
        process.terminate()
        return process.wait()


def _show(line: str) -> None:
    found = _PROGRESS.match(line)
    if not found or not sys.stdout.isatty():
        print(line, flush=True)
        return
    done, total = int(found["done"]), int(found["total"])
    filled = 30 * done // max(total, 1)
    end = "\n" if done == total else ""
    print(f"\r{found['phase']:<20} [{'█' * filled}{'·' * (30 - filled)}] {done}/{total}", end=end, flush=True)


def advice(hyperparameters: Mapping[str, str]) -> str | None:
    """Return the line that warns when the whole network would be tuned on a CPU."""
    # The aliases are the parser's business; it is asked, so that no spelling is missed.
    from image_classifier.contract import hyperparameters as declared

    if declared.parse(dict(hyperparameters)).values.train_only_top_layer or Path("/dev/nvidiactl").exists():
        return None
    return (
        "train_only_top_layer is False, so the whole network is tuned, which is slow on a CPU. "
        "For the head alone write train_only_top_layer=True."
    )


def parse_settings(words: Sequence[str]) -> dict[str, str]:
    """Turn `name=value` words into hyperparameters.

    Raises:
        UserError: A word has no `=`.
    """
    wrong = [word for word in words if "=" not in word]
    if wrong:
        raise UserError(f"Hyperparameters are written name=value, such as epochs=5; got {', '.join(wrong)}.")
    return dict(word.split("=", 1) for word in words)


def default_model() -> Path:
    """Stage EfficientNet-Lite0, which is converted once and then copied, and return its archive."""
    from image_classifier.model_hub import packages, staging

    archive = packages.cache_folder() / "lite0.tar.gz"
    print("No --model given: EfficientNet-Lite0 it is.", flush=True)
    return staging.stage("lite0", archive)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scripts/train-locally`."""
    parser = argparse.ArgumentParser(
        prog="scripts/train-locally", description="Train on this machine, as SageMaker would."
    )
    parser.add_argument("--training", type=Path, required=True, metavar="DIR", help="one folder a class")
    parser.add_argument("--validation", type=Path, metavar="DIR", help="the same layout; else a part is split off")
    parser.add_argument("--test", type=Path, metavar="DIR", help="the same layout; scored once at the end")
    parser.add_argument("--model", type=Path, metavar="TAR_OR_DIR", help="a backbone (default: EfficientNet-Lite0)")
    parser.add_argument("--output", type=Path, metavar="DIR", help="where to work (default: run/<time>)")
    parser.add_argument("settings", nargs="*", metavar="name=value", help="hyperparameters")
    given = parser.parse_intermixed_args(arguments)
    try:
        settings = parse_settings(given.settings)
        if line := advice(settings):
            print(line, flush=True)
        output = given.output or PROGRAM.parent / "run" / time.strftime("%Y%m%d-%H%M%S")
        model = given.model or default_model()
        code = train(LocalJob(given.training, model, output, given.validation, given.test, settings))
    except JobError as error:
        return complain(error)
    if code == 0:
        print(f"Model: {output}/model/   reports: {output}/output/data/")
        print(f"Serve it: scripts/serve-locally {output}/model")
    return code


if __name__ == "__main__":
    sys.exit(main())
