"""CreateHyperParameterTuningJob: the recommended ranges, the declared objective, early stopping and warm start."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from image_classifier.cloud.sagemaker import own_ranges
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.cloud.sagemaker.option_reading import items, read, reject
from image_classifier.cloud.sagemaker.tags import tags
from image_classifier.cloud.sagemaker.training import TrainingJob, definition, with_time_budget
from image_classifier.contract import specification
from image_classifier.contract.declaration import Declaration, declarations_of, declare

RECOMMENDED, BUILTIN = RANGES = ("recommended", "built-in")
HEAD_ALONE = "train_only_top_layer"
_SINCE: dict[str, Any] = {"since": "0.5", "builtin": False}


@dataclass(frozen=True, kw_only=True)
class TuningOptions:
    """How hyperparameters are searched."""

    max_jobs: int = declare(20, **_SINCE, minimum=1, maximum=750, meaning="Number of training jobs.")
    parallel_jobs: int = declare(2, **_SINCE, minimum=1, maximum=100, meaning="Number of jobs at the same time.")
    strategy: str = declare(
        "Bayesian",
        **_SINCE,
        choices=("Bayesian", "Random", "Hyperband"),
        meaning="How the next values are chosen.",
    )
    early_stopping: bool = declare(True, **_SINCE, meaning="Stop jobs that fall behind; not with Hyperband.")
    ranges: str = declare(
        RECOMMENDED, **_SINCE, choices=RANGES, meaning="Ranges: ours for a head alone, or the developer guide's."
    )
    own_ranges: str = declare(
        "",
        **_SINCE,
        meaning=f"Ranges of yours in place of these or beside them, with commas, such as {own_ranges.EXAMPLE}.",
    )
    warm_start: str = declare("", **_SINCE, meaning="Earlier tuning jobs to learn from, with commas.")


DECLARATIONS: tuple[Declaration, ...] = declarations_of(TuningOptions)


def parse(given: Mapping[str, Any]) -> TuningOptions:
    """Return the options with defaults for those that are not given.

    Raises:
        UserError: One message with every problem.
    """
    found, problems = read(TuningOptions, given)
    if found.strategy == "Hyperband" and given.get("early_stopping"):
        problems.append(f"early_stopping is for Bayesian and Random, not for {found.strategy}.")
    problems += own_ranges.parse(items(found.own_ranges))[1]
    if found.parallel_jobs > found.max_jobs:
        problems.append(f"parallel_jobs is {found.parallel_jobs}, more than max_jobs, {found.max_jobs}.")
    reject(problems)
    return found


def searched(ranges: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Return the names of the hyperparameters that some ranges search."""
    return [entry["Name"] for kind in ranges.values() for entry in kind]


def ranges_without(how: TuningOptions, given: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
    """Return the ranges of the hyperparameters whose values are not given; the user's own replace the declared ones.

    Raises:
        UserError: A hyperparameter has a value and a range of the user's.
    """
    own = own_ranges.parse(items(how.own_ranges))[0]
    if both := [name for name in own if name in given]:
        reject([f"{', '.join(both)} has a value and a range. Give one of them."])
    declared = specification.recommended_ranges() if how.ranges == RECOMMENDED else specification.parameter_ranges()
    fixed = {*given, *own}
    found = {kind: [entry for entry in entries if entry["Name"] not in fixed] for kind, entries in declared.items()}
    for kind, entry in own.values():
        found[kind].append(entry)
    return found


def create_tuning_job(job: TrainingJob, how: TuningOptions) -> Call:
    """Return the request that starts a search with jobs like `job`; its hyperparameters are the same in all of them.

    Raises:
        UserError: A hyperparameter is invalid, or all that could be searched are given.
    """
    ranges = ranges_without(how, job.hyperparameters)
    if not searched(ranges):
        reject(["Every hyperparameter of the ranges is given, so that nothing is left to search. Leave some out."])
    static = with_time_budget(job)
    if how.ranges == RECOMMENDED and HEAD_ALONE not in searched(ranges):
        static = {HEAD_ALONE: "True", **static}
    common = definition(job)
    stops = how.early_stopping and how.strategy != "Hyperband"
    parameters: dict[str, Any] = {
        "HyperParameterTuningJobName": job.name,
        "HyperParameterTuningJobConfig": {
            "Strategy": how.strategy,
            "HyperParameterTuningJobObjective": specification.tuning_objectives()[0],
            "ResourceLimits": {
                "MaxNumberOfTrainingJobs": how.max_jobs,
                "MaxParallelTrainingJobs": how.parallel_jobs,
            },
            "ParameterRanges": ranges,
            "TrainingJobEarlyStoppingType": "Auto" if stops else "Off",
        },
        "TrainingJobDefinition": {"StaticHyperParameters": static, "RoleArn": job.options.role, **common},
        "Tags": tags(job.experiment, job.options.tag_mapping),
    }
    if parents := items(how.warm_start):
        parameters["WarmStartConfig"] = {
            "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": name} for name in parents],
            "WarmStartType": "IdenticalDataAndAlgorithm",
        }
    return Call("sagemaker", "CreateHyperParameterTuningJob", parameters, f"The tuning job {job.name}")
