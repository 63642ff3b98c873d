"""The policies in docs/guides/iam: that of a pipeline's execution role, and the page that lists them."""

import json
from collections.abc import Iterator
from pathlib import Path

from image_classifier.cloud.sagemaker import calls, tags
from image_classifier.cloud.sagemaker.pipelines import definition
from tests.support.aws import ACCOUNT
from tests.support.permissions import REGION, Need, unused
from tests.unit.cli.test_permissions import FOLDER, denied, read

_OF_A_STEP = {
    "CreateTrainingJob": (["training-job/name"], ["DescribeTrainingJob", "StopTrainingJob"]),
    "CreateProcessingJob": (["processing-job/name"], ["DescribeProcessingJob", "StopProcessingJob"]),
    "CreateModelPackage": (
        ["model-package/flowers/1", "model-package-group/flowers"],
        ["DescribeModelPackage", "DescribeModelPackageGroup"],
    ),
}
"""Resources of a step, and how SageMaker follows and stops it."""


def test_role_of_a_pipeline_may_start_its_steps_and_nothing_else() -> None:
    """Given the steps of the definition -> what they create, follow and stop is allowed, and nothing else is."""
    made = json.loads((Path(__file__).parents[1] / "cloud" / "golden" / "pipeline.json").read_text(encoding="utf-8"))
    needs = [need for call in definition.requests(made) for need in needs_of_a_step(call)]
    statements = read("execution-role-pipeline")
    assert denied(statements, needs) == set()
    assert [unused(statement, needs) for statement in statements] == [[] for _ in statements]


def needs_of_a_step(call: calls.Call) -> Iterator[Need]:
    """Yield what SageMaker needs the role of a pipeline for to start, follow and stop a step."""
    marks = tags.as_mapping(call.parameters.get("Tags", []))
    context = {f"aws:RequestTag/{name}": value for name, value in marks.items()}
    resources, verbs = _OF_A_STEP[call.operation]
    for resource in (f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{name}" for name in resources):
        yield Need(f"sagemaker:{call.operation}", resource, context)
        yield from (Need("sagemaker:AddTags", resource, context) for _ in marks)
        yield from (Need(f"sagemaker:{verb}", resource, {}) for verb in verbs)
    if role := call.parameters.get("RoleArn"):
        yield Need("iam:PassRole", role, {"iam:PassedToService": "sagemaker.amazonaws.com"})


def test_every_file_is_in_the_guide() -> None:
    """Given the folder -> the page links to each of its files."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in FOLDER.glob("*.json") if f"]({path.name})" not in text] == []
