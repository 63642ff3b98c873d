"""Run a training job on this machine: build the platform's tree, start `container/train`, show how far it is."""

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from image_classifier import PROGRAM, own_files
from image_classifier.contract.errors import JobError, UserError, complain
from image_classifier.contract.opt_ml import BASE_DIR_VARIABLE, OptMl
from image_classifier.local import job_tree
from image_classifier.local.job_tree import LocalJob, build_tree

_PROGRESS = re.compile(r"^(?P<phase>[^:]+): (?P<done>\d+)/(?P<total>\d+) pictures")


def train(job: LocalJob, show: bool = True) -> int:
    """Run the job and return its exit code; its log goes to standard output.

    Raises:
        UserError: See `job_tree.check`; nothing was changed then. Or another job is running in the output folder.
    """
    job_tree.check(job)
    try:
        job.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output {job.output} cannot be made: {error}. Look at that path and its disk.") from error
    with own_files.used_alone(job.output) as lock:
        return _run(build_tree(job), lock, show)


def _run(tree: OptMl, lock: int, show: bool) -> int:
    environment = {**os.environ, BASE_DIR_VARIABLE: str(tree.base), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(PROGRAM / "train")]
    # The lock lasts as long as the job does, also when this process is killed.
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, errors="replace", pass_fds=(lock,)
    )
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
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="a new folder, or one of an earlier local job, which is replaced (default: run/<time>)",
    )
    parser.add_argument("settings", nargs="*", metavar="name=value", help="hyperparameters")
    given = parser.parse_intermixed_args(arguments)
    try:
        settings = parse_settings(given.settings)
        if line := advice(settings):
            print(line, flush=True)
        output = given.output or PROGRAM.parent / "run" / time.strftime("%Y%m%d-%H%M%S")
        job = LocalJob(given.training, given.model, output, given.validation, given.test, settings)
        job_tree.check(job)
        if job.model is None:
            job = replace(job, model=default_model())
        code = train(job)
    except JobError as error:
        return complain(error)
    if code == 0:
        print(f"Model: {output}/model/   reports: {output}/output/data/")
        print(f"Serve it: scripts/serve-locally {output}/model")
    return code


if __name__ == "__main__":
    sys.exit(main())
