"""`scripts/train-locally`: lay out /opt/ml, start `container/train`, show its progress and its result."""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from image_classifier import PROGRAM, own_files
from image_classifier.cli.terminal import consoles, job_process, job_summary, report_page, typed_paths
from image_classifier.contract import contradictions, hyperparameters, report_files
from image_classifier.contract.errors import ExplainedError, UserError
from image_classifier.contract.opt_ml import BASE_DIR_VARIABLE, OptMl
from image_classifier.runners import chosen_model, job_state, job_tree
from image_classifier.runners.job_tree import LocalJob, build_tree


def train(
    job: LocalJob,
    overwrite: bool = False,
    typed: Mapping[str, str] = MappingProxyType({}),
    suggest_next: bool = True,
    show_report: bool = False,
) -> int:
    """Run the job, print the accuracy of its model and return its exit code.

    A job that was stopped or killed in the same folder is resumed.

    Args:
        job: What to train on and where to put the result.
        overwrite: Replace a finished job in the same folder once this one has finished.
        typed: Paths of channels for which messages show another path, the one that the user typed.
        suggest_next: Print the verdict of the report, and the commands that serve and try the model.
        show_report: Open the report in the desktop's browser.

    Raises:
        UserError: See `job_tree.check` and `job_state.work_folder`; nothing was changed then. Or another job is running
            in the output folder.
    """
    started = time.monotonic()
    job_tree.check(job)
    work = job_state.work_folder(job.output, overwrite)
    job_tree.check(replace(job, output=work))
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output {job.output} cannot be made: {error}. Look at that path and its disk.") from error
    with own_files.used_alone(work) as lock:
        if work != job.output:
            job_tree.empty(work)
        tree = build_tree(replace(job, output=work))
        before = _identity(tree)
        code = _run(tree, job, lock, typed)
        # A job that is stopped before its first epoch leaves the reports of the earlier job.
        if code == 0 and _identity(tree) != before:
            tree = _conclude(tree, job, time.monotonic() - started, suggest_next)
            if show_report:
                page = tree.output_data_dir / report_files.REPORT
                consoles.print_text(consoles.output(), report_page.show(page))
    return code


def _identity(tree: OptMl) -> int | None:
    report = tree.output_data_dir / "metrics.json"
    return report.stat().st_ino if report.is_file() else None


def _run(tree: OptMl, job: LocalJob, lock: int, typed: Mapping[str, str]) -> int:
    environment = {**os.environ, BASE_DIR_VARIABLE: str(tree.base), "PYTHONUNBUFFERED": "1"}
    shown = {str(tree.channel_dir(name)): typed.get(str(path), str(path)) for name, path in job.channels.items()}
    shown |= {str(tree.base): str(job.output), str(tree.channel_dir("model")): str(job.model or "")}
    command = [sys.executable, str(PROGRAM / "train")]
    return job_process.run(command, environment, shown, tree.base / job_tree.LOG, lock)


def _conclude(tree: OptMl, job: LocalJob, seconds: float, suggest_next: bool) -> OptMl:
    """Record and print the job's result; return where it is."""
    summary = job_summary.read(tree)
    state = job_state.STOPPED if summary.was_stopped else job_state.FINISHED
    shown = str(job.output)
    if tree.base != job.output.resolve():
        if summary.was_stopped:
            shown = typed_paths.shortest(tree.base)
            consoles.print_text(
                consoles.output(), f"The job in {job.output} stays: the new one was stopped. It is in {shown}."
            )
        else:
            job_tree.replace_job(tree.base, job.output)
            tree = OptMl(job.output.resolve())
    job_state.record(tree.base, state, summary.accuracy)
    for line in (
        *job_summary.lines(summary if suggest_next else replace(summary, verdict=None), seconds, shown),
        *(job_summary.next_commands(shown) if suggest_next else ()),
    ):
        consoles.print_text(consoles.output(), line)
    return tree


def with_recipe(settings: Mapping[str, str]) -> tuple[dict[str, str], str | None]:
    """Return the hyperparameters with recipe=auto unless they say otherwise, and a line that says so.

    They do by naming a recipe, or by giving what recipe=auto would choose, such as `epochs`.

    Raises:
        UserError: A hyperparameter is invalid.
    """
    if any(name.strip() == contradictions.RECIPE for name in settings):
        return dict(settings), None
    with_auto = {**settings, contradictions.RECIPE: contradictions.AUTO}
    try:
        hyperparameters.parse(with_auto)
    except UserError:
        # Either rejected with any recipe, or something is given that only the built-in way takes.
        given = hyperparameters.parse(dict(settings)).against_recipe
        return dict(settings), f"Training with recipe=builtin, since {', '.join(given)} is given."
    return with_auto, "Training with recipe=auto; recipe=builtin trains by the hyperparameters, as on the platform."


def advice(settings: Mapping[str, str]) -> str | None:
    """Return a warning if the whole network would be fine-tuned on a CPU without a time budget."""
    # The parser knows every spelling of the name.
    values = hyperparameters.parse(dict(settings)).values
    if values.recipe != contradictions.BUILTIN or values.train_only_top_layer or Path("/dev/nvidiactl").exists():
        return None
    return (
        "train_only_top_layer is False, so the whole network is fine-tuned, which is slow on a CPU. "
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


def misplaced_hyperparameter(words: Sequence[str]) -> str | None:
    """Return the right form of a hyperparameter that was typed as an option, such as `epochs=3` for `--epochs 3`."""
    names = {declaration.name for declaration in hyperparameters.DECLARATIONS}
    for position, word in enumerate(words):
        name, _, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and (plain := name.replace("-", "_")) in names:
            return f"{plain}={value or next(iter(words[position + 1 :]), 'VALUE')}"
    return None


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    found = argparse.ArgumentParser(
        prog="scripts/train-locally",
        description="Train on this machine, as SageMaker would.",
        epilog="examples:\n  scripts/train-locally --training photos\n"
        "  scripts/train-locally --training photos --model mobilenetv2-160 --output run/mine epochs=10\n\n"
        "Without recipe=..., and without a hyperparameter that it chooses, recipe=auto: docs/guides/recipes.md\n"
        "All hyperparameters: docs/reference/hyperparameters.md",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--training", type=Path, required=True, metavar="DIR", help="one folder a class")
    found.add_argument("--validation", type=Path, metavar="DIR", help="the same layout; else a part is split off")
    found.add_argument("--test", type=Path, metavar="DIR", help="the same layout; scored once at the end")
    found.add_argument(
        "--model",
        metavar="MODEL",
        help="an id or short name (scripts/models), an archive, or a folder (default: EfficientNet-Lite0)",
    )
    found.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="a new folder, or that of a local job that was stopped, which resumes (default: run/<time>)",
    )
    found.add_argument("--overwrite", action="store_true", help="replace a finished job once the new one has finished")
    found.add_argument("--open", action="store_true", help="open the report in a browser afterwards")
    found.add_argument("--docker", action="store_true", help="run it in the Docker image, for macOS and Windows")
    found.add_argument("settings", nargs="*", metavar="name=value", help="hyperparameters")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scripts/train-locally`."""
    if right := misplaced_hyperparameter(sys.argv[1:] if arguments is None else arguments):
        parser().error(f"hyperparameters are written without dashes: write {right}")
    given = parser().parse_intermixed_args(arguments)
    try:
        settings, recipe_line = with_recipe(parse_settings(given.settings))
        output = given.output or Path(typed_paths.shortest(PROGRAM.parent / "run" / time.strftime("%Y%m%d-%H%M%S")))
        model = chosen_model.choose(given.model, settings)
        job = LocalJob(given.training, model.path, output, given.validation, given.test, settings)
        job_tree.check(job)
        job_state.work_folder(output, given.overwrite)
        for line in filter(None, (recipe_line, advice(settings))):
            consoles.print_text(consoles.output(), line)
        return train(replace(job, model=model.fetch()), given.overwrite, show_report=given.open)
    except ExplainedError as error:
        return consoles.report_and_exit_code(error)


if __name__ == "__main__":
    sys.exit(main())
