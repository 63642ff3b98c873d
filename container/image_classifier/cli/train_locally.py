"""`scripts/train-locally`: lay out /opt/ml, start `container/train`, show its progress and its result."""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from image_classifier import PROGRAM
from image_classifier.class_folders import manifests
from image_classifier.cli import argument_types
from image_classifier.cli.launch import images
from image_classifier.cli.terminal import command, consoles, job_process, job_summary, report_page, typed_paths
from image_classifier.contract import assignments, contradictions, hyperparameters, report_files
from image_classifier.contract.errors import ExplainedError, UserError
from image_classifier.runners import experiment, job_state, job_tree, local, workplace
from image_classifier.runners.conclusion import Conclusion, conclude
from image_classifier.runners.experiment import Experiment
from image_classifier.runners.job_tree import LocalJob
from image_classifier.runners.workplace import Workplace


def train(
    job: LocalJob,
    overwrite: bool = False,
    typed: Mapping[str, str] = MappingProxyType({}),
    suggest_next: bool = True,
    show_report: bool = False,
    asked_for: Experiment | None = None,
) -> int:
    """Run the job, print the accuracy of its model and return its exit code.

    A job that was stopped or killed in the same folder is resumed.

    Args:
        job: What to train on and where to put the result.
        overwrite: Replace a finished job in the same folder once this one has finished.
        typed: Paths of channels for which messages show another path, the one that the user typed.
        suggest_next: Print the verdict of the report, and the commands that serve and try the model.
        show_report: Open the report in the desktop's browser.
        asked_for: What the folder keeps as experiment.toml; None: the job itself.

    Raises:
        UserError: See `workplace.opened`.
    """
    started = time.monotonic()
    with workplace.opened(job, asked_for or _experiment(job), overwrite) as place:
        code = _run(place, job, typed)
        conclusion = conclude(place.tree, job.output, place.report_before) if code == 0 else None
        if conclusion:
            _show(conclusion, job.output, time.monotonic() - started, suggest_next)
            if show_report:
                page = conclusion.tree.output_data_dir / report_files.REPORT
                consoles.print_text(consoles.output(), report_page.show(page))
    return code


def _experiment(job: LocalJob) -> Experiment:
    return experiment.absolute(
        Experiment(
            name=experiment.name_from(job.output.resolve().name),
            training=str(job.training),
            validation=None if job.validation is None else str(job.validation),
            test=None if job.test is None else str(job.test),
            model=None if job.model is None else str(job.model),
            hyperparameters=job.hyperparameters or {},
        )
    )


def _run(place: Workplace, job: LocalJob, typed: Mapping[str, str]) -> int:
    tree = place.tree
    shown = {str(tree.channel_dir(name)): typed.get(str(path), str(path)) for name, path in job.channels.items()}
    shown |= {str(tree.base): str(job.output), str(tree.channel_dir("model")): str(job.model or "")}
    return job_process.run(workplace.TRAIN, place.environment, shown, tree.base / job_tree.LOG, place.lock)


def _show(conclusion: Conclusion, output: Path, seconds: float, suggest_next: bool) -> None:
    """Print the result of a job and where it is."""
    result, shown = conclusion.result, str(output)
    if conclusion.tree.base != output.resolve():
        shown = typed_paths.shortest(conclusion.tree.base)
        consoles.print_text(consoles.output(), f"The job in {output} stays: the new one was stopped. It is in {shown}.")
    for line in (
        *job_summary.lines(result if suggest_next else replace(result, verdict=None), seconds, shown),
        *(job_summary.next_commands(shown) if suggest_next else ()),
    ):
        consoles.print_text(consoles.output(), line)


def with_recipe(settings: Mapping[str, str]) -> tuple[dict[str, str], str | None]:
    """Return the hyperparameters with recipe=auto unless they say otherwise, and a line that says so.

    They do by naming a recipe, or by giving what recipe=auto would choose, such as `epochs`, even with its default: on
    a command line every value was typed, whereas a job gets those that an SDK fills in.

    Raises:
        UserError: A hyperparameter is invalid.
    """
    if any(name.strip() == contradictions.RECIPE for name in settings):
        return dict(settings), None
    if typed := hyperparameters.given_for_recipe(settings):
        hyperparameters.parse(dict(settings))
        return dict(settings), f"Training with recipe=builtin, since {', '.join(typed)} is given."
    with_auto = {**settings, contradictions.RECIPE: contradictions.AUTO}
    hyperparameters.parse(with_auto)
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


def seen_images(job: LocalJob) -> str | None:
    """Return a warning if the images that judge the model are those that it is trained on."""
    folders = {"validation": job.validation, "test": job.test}
    same = [f"--{name}" for name, folder in folders.items() if folder and folder.resolve() == job.training.resolve()]
    if not same:
        return None
    return (
        f"WARNING: {' and '.join(same)} {'are' if len(same) > 1 else 'is'} the folder of --training, so the accuracy "
        "there is that on images which the model has learned. Give other images, or leave it out."
    )


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
    found.add_argument(
        "--training",
        type=argument_types.some_path,
        metavar="DIR",
        help="one folder per class, or a manifest; needed without --job",
    )
    found.add_argument(
        "--validation", type=argument_types.some_path, metavar="DIR", help="the same layout; else a part is split off"
    )
    found.add_argument(
        "--test", type=argument_types.some_path, metavar="DIR", help="the same layout; scored once at the end"
    )
    found.add_argument(
        "--model",
        type=argument_types.some_text,
        metavar="MODEL",
        help="an id or short name (scripts/models), an archive, or a folder (default: EfficientNet-Lite0)",
    )
    found.add_argument(
        "--output",
        type=argument_types.some_path,
        metavar="DIR",
        help="a new folder, or that of a local job that was stopped, which resumes (default: run/<time>)",
    )
    found.add_argument(
        "--job",
        type=argument_types.some_path,
        metavar="FILE",
        help="a job.toml with all of these, as an earlier job's experiment.toml; what is given beside it counts",
    )
    found.add_argument("--overwrite", action="store_true", help="replace a finished job once the new one has finished")
    found.add_argument("--open", action="store_true", help="open the report in a browser afterwards")
    found.add_argument("--docker", action="store_true", help="run it in the Docker image, for macOS and Windows")
    found.add_argument("settings", nargs="*", metavar="name=value", help="hyperparameters")
    return found


def _asked_for(given: argparse.Namespace, output: Path) -> tuple[Experiment, str | None]:
    """Return what is to be done, by a file or by the words of the command, and a line about the recipe.

    Raises:
        UserError: The file or a hyperparameter is invalid.
    """
    settings = assignments.parse(given.settings)
    if given.job is None:
        settings, line = with_recipe(settings)
        found = Experiment(experiment.name_from(output.resolve().name), "", hyperparameters=settings)
    else:
        # The file means the same on every runner: no recipe is chosen here.
        found, line = experiment.with_hyperparameters(experiment.read(given.job), settings), None
        if problems := [*experiment.problems(found), *local.not_on_this_machine(found)]:
            raise UserError(f"{given.job}: {' '.join(problems)}")
    words: dict[str, Any] = {name: str(folder) for name, folder in _typed_channels(given).items()}
    if given.model:
        words["model"] = given.model
    return replace(found, **words, runner=experiment.LOCAL), line


def _typed_channels(given: argparse.Namespace) -> dict[str, Any]:
    found = {name: folder for name in experiment.CHANNELS if (folder := getattr(given, name)) is not None}
    return {name: manifests.folder_of(folder, f"--{name}") for name, folder in found.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scripts/train-locally`."""
    if right := misplaced_hyperparameter(sys.argv[1:] if arguments is None else arguments):
        parser().error(f"hyperparameters are written without dashes: write {right}")
    given = parser().parse_intermixed_args(arguments)
    if not given.training and not given.job:
        parser().error("the following arguments are required: --training DIR, or --job FILE")
    try:
        output = given.output or Path(typed_paths.shortest(PROGRAM.parent / "run" / time.strftime("%Y%m%d-%H%M%S")))
        asked_for, recipe_line = _asked_for(given, output)
        model = local.model_of(asked_for)
        job = replace(local.local_job(asked_for, output), **_typed_channels(given))
        job_tree.check(job)
        job_state.work_folder(output, given.overwrite)
        # Before a backbone is fetched, which may take minutes.
        images.check(asked_for)
        for line in filter(None, (recipe_line, advice(asked_for.hyperparameters), seen_images(job))):
            consoles.print_text(consoles.output(), line)
        job = replace(job, model=model.fetch())
        return train(job, given.overwrite, show_report=given.open, asked_for=experiment.absolute(asked_for))
    except ExplainedError as error:
        return consoles.report_and_exit_code(error)


if __name__ == "__main__":
    sys.exit(command.run(main))
