"""Arguments that several verbs share; those of a job on SageMaker come from the declared options."""

import argparse
import math
from collections.abc import Mapping, Sequence
from typing import Any

from image_classifier.cloud.sagemaker import names, options
from image_classifier.contract.declaration import Declaration

PLACE = ("region", "profile")
"""Options of every verb."""


def add_options(parser: argparse.ArgumentParser, names: tuple[str, ...] = ()) -> None:
    """Add a flag for each declared option of a job, or for those of some names."""
    declarations = [declared for declared in options.DECLARATIONS if not names or declared.name in names]
    add_declared(parser, declarations, "options of SageMaker, in the table [sagemaker] of job.toml too")


def add_declared(parser: argparse.ArgumentParser, declarations: Sequence[Declaration], title: str) -> None:
    """Add a flag for each of some declared options."""
    group = parser.add_argument_group(title)
    for declared in declarations:
        flag = f"--{declared.name.replace('_', '-')}"
        meaning = f"{declared.meaning.rstrip('.')}".replace("%", "%%")
        default = "" if declared.default == "" else f" (default: {declared.default})"
        if declared.kind is bool:
            action, state = argparse.BooleanOptionalAction, "on" if declared.default else "off"
            text = f"{meaning} (default: {state})"
            group.add_argument(flag, action=action, default=None, dest=declared.name, help=text)
        else:
            choices = f"; {declared.allowed}" if declared.choices else ""
            group.add_argument(flag, dest=declared.name, metavar="X", help=f"{meaning}{choices}{default}")


def given_options(
    given: argparse.Namespace, declarations: Sequence[Declaration] = options.DECLARATIONS
) -> dict[str, Any]:
    """Return the options that were given as flags."""
    values = {declared.name: getattr(given, declared.name, None) for declared in declarations}
    return {name: value for name, value in values.items() if value is not None}


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """Add the flags that decide what is printed."""
    parser.add_argument("--json", action="store_true", help="print one JSON document for programs")


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """Add `--dry-run`."""
    parser.add_argument("--dry-run", action="store_true", help="print every request in order as JSON; send nothing")


def add_price(parser: argparse.ArgumentParser) -> None:
    """Add `--price`."""
    parser.add_argument(
        "--price", type=_price, metavar="P", help="price of an instance per hour, from the AWS price list, for the cost"
    )


def name(text: str) -> str:
    """Return the name of something on AWS.

    Raises:
        argparse.ArgumentTypeError: AWS or this program would change it.
    """
    plain = names.plain(text)
    if text != plain:
        raise argparse.ArgumentTypeError(
            f"is {text!r}; allowed are 1 to {names.LONGEST} lower-case letters, digits and single hyphens, such as "
            f"{plain}"
        )
    return text


def _price(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"is {text!r}; allowed is a number from 0, such as 0.23")
    return value


def merged(file: Mapping[str, Any], flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a file with those of flags above them."""
    return {**file, **flags}
