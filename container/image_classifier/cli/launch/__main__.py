"""Dispatch of `scripts/launch VERB`."""

import argparse
import sys
from collections.abc import Sequence

from image_classifier.cli import train_locally
from image_classifier.cli.launch import (
    batch,
    delete,
    deploy,
    invoke,
    monitor,
    pipeline,
    register,
    resume,
    status,
    stop,
    train,
    tune,
)
from image_classifier.cli.terminal import command, consoles
from image_classifier.contract.errors import ExplainedError

VERBS = {
    "train": train,
    "tune": tune,
    "stop": stop,
    "resume": resume,
    "register": register,
    "pipeline": pipeline,
    "deploy": deploy,
    "invoke": invoke,
    "batch": batch,
    "monitor": monitor,
    "status": status,
    "delete": delete,
}

_TRAINING = ("train", "tune", "pipeline")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments, with a sub-parser for each verb."""
    found = argparse.ArgumentParser(
        prog="scripts/launch",
        description="Train, serve and look after models on SageMaker.",
        epilog="examples:\n  scripts/launch train job.toml --dry-run\n  scripts/launch status\n\n"
        "From a clone to an answered request: docs/guides/launch.md",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = found.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, module in VERBS.items():
        own = verbs.add_parser(
            name,
            help=module.SUMMARY,
            description=module.SUMMARY[0].upper() + module.SUMMARY[1:] + ".",
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(own)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scripts/launch`."""
    known = parser()
    given, rest = known.parse_known_args(arguments)
    # argparse takes words before the first flag alone where another argument comes before them.
    if rest and not (hasattr(given, "words") and all("=" in word and not word.startswith("-") for word in rest)):
        right = train_locally.misplaced_hyperparameter(rest) if given.verb in _TRAINING else None
        known.error(
            f"hyperparameters are written without dashes: write {right}"
            if right
            else f"unrecognized arguments: {' '.join(rest)}"
        )
    if rest:
        given.words = [*given.words, *rest]
    try:
        code: int = VERBS[given.verb].run(given)
        return code
    except ExplainedError as error:
        return consoles.report_and_exit_code(error)


if __name__ == "__main__":
    sys.exit(command.run(main))
