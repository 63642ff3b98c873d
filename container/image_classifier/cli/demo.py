"""`scripts/demo`: fine-tune, serve and evaluate a classifier on real photographs, from nothing to its accuracy."""

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.progress import track

from image_classifier import PROGRAM
from image_classifier.cli import train_locally
from image_classifier.cli.predictions import answers, asking, image_files
from image_classifier.cli.predictions.answers import Answer
from image_classifier.cli.predictions.scoring import Score
from image_classifier.cli.terminal import command, consoles, report_page, typed_paths
from image_classifier.cli.terminal.steps import Steps
from image_classifier.contract import report_files
from image_classifier.contract.errors import AlgorithmError, ExplainedError, UserError
from image_classifier.contract.opt_ml import OptMl
from image_classifier.contract.payload_types import EVERY_CLASS
from image_classifier.model_hub import packages
from image_classifier.photographs import sample_sets
from image_classifier.runners import chosen_model, job_result, local_server
from image_classifier.runners.job_tree import LocalJob

SAMPLES = ("solar", "stamps", "flowers")
PORT = 8080
SETTINGS = {"recipe": "auto", "train_only_top_layer": "True"}
"""The best head on features that are computed once: seconds on a laptop, where fine-tuning takes minutes."""


def run(data: str, keep_serving: bool, show_report: bool = False) -> int:
    """Run every step, print the accuracy on held-out images and the verdict of the report; return the job's exit code.

    Raises:
        ExplainedError: A step failed; the message says why.
    """
    _reject_unknown(data)
    steps = Steps(consoles.output())
    output = PROGRAM.parent / "run" / f"demo-{Path(data).resolve().name}"
    with steps.step("staging", "Staging the backbone"):
        model = chosen_model.ChosenModel(model_id=chosen_model.DEFAULT).fetch()
    with steps.step("photographs", "Fetching the photographs") as finished:
        training, held_out = _photographs(data)
        finished(f"Photographs: {data}, a fifth of each class held out")
    job = LocalJob(training, model, Path(typed_paths.shortest(output)), hyperparameters=SETTINGS)
    with steps.timed("training"):
        # Messages about the user's own images name them where they are, not where they were copied to.
        typed = {} if data in SAMPLES else {str(training): data}
        if code := train_locally.train(job, overwrite=True, typed=typed, suggest_next=False):
            return code
    port = PORT if keep_serving else local_server.free_port()
    with contextlib.ExitStack() as stack:
        with steps.step("starting the server", "Starting the server") as finished:
            server = stack.enter_context(local_server.serving(job.output / "model", port, quiet=not keep_serving))
            finished(f"Serving the model on http://127.0.0.1:{port}")
        with steps.timed("classifying"):
            score = _classify(held_out, port)
        _print_result(score, steps, job.output, held_out)
        if show_report:
            consoles.print_text(consoles.output(), report_page.show(_report_folder(job.output) / report_files.REPORT))
        if keep_serving:
            consoles.output().print(f"\nServing on http://127.0.0.1:{port} until Ctrl-C.")
            with contextlib.suppress(KeyboardInterrupt):
                server.wait()
    return 0


def _reject_unknown(data: str) -> None:
    """Reject what is neither a sample nor a folder, before a backbone is fetched."""
    if data not in SAMPLES and not (data.strip() and Path(data).is_dir()):
        raise UserError(f"--data is {data!r}; give a folder of class folders, or one of: {', '.join(SAMPLES)}.")


def _photographs(data: str) -> tuple[Path, Path]:
    cache = packages.cache_folder()
    if data in SAMPLES:
        folder = sample_sets.fetch(data, cache / "data" / data, consoles.announce)
    else:
        folder = sample_sets.hold_out(Path(data), cache / "own-data" / Path(data).resolve().name)
    return folder / "train", folder / "held-out"


def _classify(held_out: Path, port: int) -> Score:
    images = image_files.find([held_out])
    found = asking.predict(images, f"http://127.0.0.1:{port}/invocations", EVERY_CLASS)
    if consoles.is_interactive():
        description = "Classifying held-out images over HTTP"
        found = iter(track(found, description, len(images), console=consoles.output(), transient=True))
    outcomes = list(found)
    for error in (outcome for outcome in outcomes if isinstance(outcome, ExplainedError)):
        raise error
    score = answers.score(outcome for outcome in outcomes if isinstance(outcome, Answer))
    if score is None:
        raise AlgorithmError(f"The model knows none of the classes in {held_out}.")
    return score


def _print_result(score: Score, steps: Steps, output: Path, held_out: Path) -> None:
    label, right, images = score.recalls()[0]
    image = next(path for path in sorted(held_out.rglob("*")) if path.is_file())
    for line in (
        "",
        f"Held-out accuracy: {score.accuracy:.4f} ({score.right} of {score.images} images; "
        f"always answering the largest class: {score.majority[1]:.4f})",
        f"Weakest class: {label}, {right} of {images} images right ({right / images:.4f})",
        steps.summary(),
        *_report_lines(output),
        "Next, and with your own folder of class folders as DIR:",
        f"  scripts/serve-locally {output}",
        f"  scripts/predict {typed_paths.shortest(image)}",
        "  scripts/train-locally --training DIR",
    ):
        consoles.print_text(consoles.output(), line)


def _report_lines(output: Path) -> list[str]:
    verdict = job_result.read(OptMl(output.resolve())).verdict
    return report_page.lines(verdict, str(_report_folder(output))) if verdict else []


def _report_folder(output: Path) -> Path:
    return OptMl(output).output_data_dir


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scripts/demo`; its help is in the script, which sets up the environment first."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description="Train, serve and evaluate on real photographs.")
    parser.add_argument("--data", default="solar", metavar="flowers|stamps|solar|DIR", help="default: solar")
    parser.add_argument("--keep-serving", action="store_true", help=f"keep serving on port {PORT}")
    parser.add_argument("--open", action="store_true", help="open the report in a browser")
    given = parser.parse_args(arguments)
    try:
        return run(given.data, given.keep_serving, given.open)
    except ExplainedError as error:
        return consoles.report_and_exit_code(error)


if __name__ == "__main__":
    sys.exit(command.run(main))
