"""`scripts/docs`: write the reference from the declarations, the catalogue and the locks, or list stale files."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from image_classifier import PROGRAM
from image_classifier.contract import metrics, specification
from image_classifier.contract.declaration import Declaration
from image_classifier.contract.errors import ExplainedError, report_and_exit_code
from image_classifier.contract.hyperparameters import DECLARATIONS
from image_classifier.contract.value_forms import encode
from tools.docker_image import licences
from tools.documents import environment_pages, models_page, notebook
from tools.documents.markdown import code, table

ROOT = PROGRAM.parent
NOTEBOOK = "docs/guides/introduction.ipynb"
_NOTE = "<!-- Written by scripts/docs from container/image_classifier/contract/{}.py; change it there. -->"


def hyperparameters_page() -> str:
    """Return docs/reference/hyperparameters.md."""
    header = (
        *("name", "values", "default", "JumpStart's default", "tuning range", "recommended range"),
        *("other names", "since", "meaning"),
    )
    rows = [
        (
            code(item.name),
            _values(item),
            code(encode(item.default) or "none"),
            _builtin_default(item),
            _range(item, item.tunable),
            _range(item, item.recommended),
            ", ".join(code(alias) for alias in item.aliases),
            item.since,
            item.meaning,
        )
        for item in DECLARATIONS
    ]
    chosen = ", ".join(code(item.name) for item in DECLARATIONS if item.chosen_by_recipe)
    return f"""{_NOTE.format("hyperparameters")}

# Hyperparameters

A value counts in this order: given, the default of the staged model, ours. The log prints each with its source. All
problems are named in one message, before any data is read.

{table(header, rows)}
Bounds are inclusive. Hyphens and underscores in names are the same, so `batch-size` is `batch_size`; a name that is
given twice with different values is rejected, and so is a name that is not in this table. Those that SageMaker and its
SDK add are ignored: `sagemaker_*`, `_tuning_objective_metric`, `default_user_module_name`, `model_dir`.

A value may be raw (`0.001`, `adam`), JSON (`true`), JSON inside a string (`"\\"adam\\""`) or a real JSON type. Booleans
and choices are taken in any case, whole numbers also as `32.0`. What is not a finite number is rejected.

The tuning range is the developer guide's for a tuning job. The recommended range is what `recipe=search` and a tuning
job should search for a head alone, with `train_only_top_layer=True`: [why, and how](../guides/tuning.md).

JumpStart's default is given where it differs from ours, which is the developer guide's; it comes from the one model
specification that is public.

With `recipe=auto` the job chooses some values itself ([recipes](../guides/recipes.md)). They may not be given then,
unless with their default, ours or JumpStart's, and a model's defaults do not count for them:
{chosen}.

## Recommended ranges for a tuning job

`ParameterRanges` of `CreateHyperParameterTuningJob`; `train_only_top_layer=True` goes into its
`StaticHyperParameters`.

```json
{json.dumps(specification.recommended_ranges(), indent=2)}
```
"""


def metrics_page() -> str:
    """Return docs/reference/metrics.md."""
    header = ("line in the log", "regex", "metric names", "meaning")
    rows = [
        (
            code(line.show(0)),
            code(line.regex) if line.names else "",
            ", ".join(code(name) for name in line.names),
            line.meaning,
        )
        for line in metrics.lines()
    ]
    logs = {"loss": 0.41, "accuracy": 0.91, "val_loss": 0.35, "val_accuracy": 0.93}
    example = metrics.epoch_line(92, 92, 30.0, logs)
    return f"""{_NOTE.format("metrics")}

# Metrics

Each epoch is one line, such as

```text
{example}
```

At the end the best epoch is printed once more, a line a metric, `val_accuracy` last: SageMaker takes the last match as
the final value, and nothing after it matches. A tuning job maximises `{metrics.OBJECTIVE}`. Numbers are plain decimals;
times are seconds. What the table shows with a regex goes into `MetricDefinitions`:
{len(metrics.definitions())} of the 40 that a job may have.

{table(header, rows)}"""


FILES: Mapping[str, Callable[[], str]] = {
    "docs/reference/hyperparameters.md": hyperparameters_page,
    "docs/reference/metrics.md": metrics_page,
    "docs/reference/licences.md": licences.page,
    "docs/reference/models.md": models_page.page,
    "docs/reference/serving-settings.md": environment_pages.serving_page,
    "docs/reference/training-settings.md": environment_pages.training_page,
    "docs/reference/monitoring-settings.md": environment_pages.monitoring_page,
}


def stale(root: Path) -> list[str]:
    """Return a line for each file that is missing or differs."""
    lines = [f"{name} is stale: run scripts/docs." for name, make in FILES.items() if _read(root / name) != make()]
    if (root / NOTEBOOK).is_file() and notebook.is_stale(notebook.read(root / NOTEBOOK)):
        lines.append(f"{NOTEBOOK} has the outputs of other sources: run scripts/docs --notebook.")
    return lines


def write(root: Path) -> list[Path]:
    """Bring the files up to date and return those that changed."""
    changed = []
    for name, make in FILES.items():
        path, text = root / name, make()
        if _read(path) != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def run_notebook(root: Path) -> Path:
    """Run the notebook in this process, whose working folder changes, and keep its outputs; return its path.

    Raises:
        UserError: It is not a notebook, or too large with its outputs.
        Exception: What a cell raises.
    """
    path = root / NOTEBOOK
    os.chdir(path.parent)
    path.write_text(notebook.text(notebook.execute(notebook.read(path))), encoding="utf-8")
    return path


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _values(item: Declaration) -> str:
    if item.choices:
        return ", ".join(code(choice) for choice in item.choices)
    return item.allowed


def _builtin_default(item: Declaration) -> str:
    if not item.builtin:
        return "not in the built-in algorithm"
    return "" if item.builtin_default is None else code(encode(item.builtin_default))


def _range(item: Declaration, bounds: Sequence[float | str]) -> str:
    ends = [code(bound if isinstance(bound, str) else encode(bound)) for bound in bounds]
    return ", ".join(ends) if item.choices or item.kind is bool else " - ".join(ends)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run `scripts/docs`."""
    parser = argparse.ArgumentParser(
        prog="scripts/docs",
        description="Write the generated reference.",
        epilog="examples:\n  scripts/docs\n  scripts/docs --check",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 with a line for each stale file")
    parser.add_argument(
        "--notebook",
        action="store_true",
        help=f"run {NOTEBOOK} and keep its outputs: several minutes, in run/introduction, with downloads",
    )
    given = parser.parse_args(arguments)
    try:
        if given.check:
            lines = stale(root)
            for line in lines:
                print(line)
            return 1 if lines else 0
        changed = [*write(root), *([run_notebook(root)] if given.notebook else [])]
        for path in changed:
            print(f"wrote {path.relative_to(root)}")
    except ExplainedError as error:
        return report_and_exit_code(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
