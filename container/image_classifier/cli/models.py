"""`scripts/models`: list the models of the catalogue so that one can be chosen, or describe one, as text or as JSON."""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from image_classifier.cli.terminal import command, consoles, model_description, models_table
from image_classifier.contract.errors import ExplainedError
from image_classifier.model_hub import catalogue
from image_classifier.model_hub.catalogue import CatalogueModel
from image_classifier.model_hub.measured import MEASURED
from image_classifier.model_hub.selection import select

_VERB = "show"


def as_json(model: CatalogueModel) -> dict[str, Any]:
    """Return a model in JSON's types; `hyperparameters` are complete, as `hyperparameters.json` has them.

    What was not measured is null.
    """
    measured = MEASURED.get(model.model_id)
    return {
        "model_id": model.model_id,
        "model_version": catalogue.ANY_VERSION,
        "short_name": model.short_name,
        "family": model.family,
        "recommended": model.model_id == catalogue.RECOMMENDED,
        "installs_from_package": model.package is not None,
        "image_size": list(model.image_size),
        "size_source": model.size_source,
        "pixel_scaling": model.pixel_scaling_method,
        "parameters": model.parameters,
        "parameters_source": model.parameters_source,
        "images_per_second": measured and measured.images_per_second,
        "serving_megabytes": measured and measured.serving_megabytes,
        "head_milliseconds": measured and measured.head_milliseconds,
        "accuracy": measured and measured.accuracy,
        "licence": model.licence,
        "feature_vector_handles": list(model.feature_vector_handles),
        "classifier_handles": list(model.classifier_handles),
        "in_developer_guide": model.in_aws_docs,
        "tf1_format": model.tf1_format,
        "notes": model.notes,
        "hyperparameters": dict(model.training_defaults),
        "own_hyperparameters": dict(model.hyperparameters),
        "stage": model_description.stage_command(model),
        "stage_with_head": model_description.stage_command(model, with_head=True),
        "images": dict(model_description.IMAGES),
        "gpu_instances": list(model_description.GPU_INSTANCES),
    }


def _list(models: Sequence[CatalogueModel], everything: bool) -> None:
    console = consoles.output()
    # A program that reads the list gets every column, whatever the size of the terminal behind it.
    width = console.width if consoles.is_interactive() and not everything else None
    table = models_table.fitted(models, width)
    for line in table.lines:
        console.print(line, style="bold green" if line.startswith(models_table.MARK) else None)
    for line in models_table.footer(models, table.left_out):
        console.print(line)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/models",
        description="List the models to start from, the fastest first, or describe one.",
        epilog="scripts/models show MODEL describes one: size, speed, memory, licence, how to train and serve it."
        "\n\n"
        "examples:\n  scripts/models --family MobileNet-V3\n  scripts/models show lite0",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--family", help=f"one of {', '.join(catalogue.FAMILIES)}")
    parser.add_argument("--search", default="", metavar="TEXT", help="words that must all be in id, handles or notes")
    parser.add_argument("--all", action="store_true", help="all columns, however wide the terminal is")
    parser.add_argument("--json", action="store_true", help="a JSON list with all facts about each model")
    one = parser.add_subparsers(dest="verb", metavar="show MODEL").add_parser(
        _VERB, help="describe one model", prog="scripts/models show"
    )
    one.add_argument("model_id", metavar="MODEL", help="its id or short name, such as lite0 or efficientnet-b0")
    one.add_argument("--model-version", default=catalogue.ANY_VERSION, help='"*", as the SDK says; the only one')
    # Before or after the verb these mean the same.
    one.add_argument("--all", action="store_true", default=argparse.SUPPRESS, help="every hyperparameter and source")
    one.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="everything as one JSON object")
    return parser


def _misplaced_model(words: Sequence[str]) -> str | None:
    """Return the first word that is neither an option, an option's value nor the verb, such as `lite0`."""
    for before, word in zip(("", *words), words, strict=False):
        if word == _VERB:
            return None
        if not word.startswith("-") and before not in ("--family", "--search"):
            return word
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scripts/models`."""
    if word := _misplaced_model(sys.argv[1:] if arguments is None else arguments):
        _parser().error(
            f"got {word!r}; write scripts/models show {word} to describe a model, or scripts/models --search {word} to "
            "list those with this word"
        )
    given = _parser().parse_args(arguments)
    try:
        if given.verb:
            model = catalogue.find(given.model_id, given.model_version)
            width = consoles.output().width if consoles.is_interactive() else None
            described = model_description.text(model, width, given.all)
            print(json.dumps(as_json(model), indent=2) if given.json else described)
        elif given.json:
            print(json.dumps([as_json(model) for model in select(given.family, given.search)], indent=2))
        else:
            _list(select(given.family, given.search), given.all)
    except ExplainedError as error:
        return consoles.report_and_exit_code(error)
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
