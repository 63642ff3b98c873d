"""The closing lines of a job in a terminal: accuracy, baseline, weakest class, files, and the next commands."""

import shlex

from image_classifier.cli.terminal import report_page
from image_classifier.runners.job_result import JobResult
from image_classifier.runners.job_tree import LOG


def lines(summary: JobResult, seconds: float, output: str) -> list[str]:
    """Return the closing lines of the command; `output` is the job's folder as the user typed it."""
    weakest, majority = summary.weakest, summary.majority
    found = [
        f"Validation accuracy {summary.accuracy:.4f} on {summary.images:,} images; always answering {majority.label}: "
        f"{majority.share:.4f}",
        f"Weakest class: {weakest.label}, {weakest.right:,} of {weakest.images:,} images right ({weakest.share:.4f})",
    ]
    if summary.test_accuracy is not None:
        found.insert(0, f"Test accuracy {summary.test_accuracy:.4f}")
    if summary.was_stopped:
        found.append(f"{_saved(summary)} The same command with --output {output} resumes the job.")
    if summary.left_out:
        left_out = f"{' and '.join(summary.left_out)} {'were' if len(summary.left_out) > 1 else 'was'} left out"
        model = shlex.quote(f"{output}/model")
        found.append(f"{left_out[0].upper()}{left_out[1:]}; scripts/convert-model {model} adds the network.")
    if summary.verdict:
        found += report_page.lines(summary.verdict, f"{output}/output/data")
    return [
        *found,
        f"Took {seconds:.0f} s. Model: {output}/model   reports: {output}/output/data   log: {output}/{LOG}",
    ]


def _saved(summary: JobResult) -> str:
    if summary.chosen:
        return f"Saved the best that the recipe had finished: the {summary.chosen}."
    return f"Saved epoch {summary.best_epoch}, the best of {summary.epochs}; {summary.planned_epochs} were planned."


def next_commands(output: str) -> list[str]:
    """Return the commands that serve and try the model, under a heading."""
    return ["Next:", f"  scripts/serve-locally {shlex.quote(output)}", "  scripts/predict IMAGE_OR_FOLDER"]
