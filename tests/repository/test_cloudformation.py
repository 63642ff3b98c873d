"""The CloudFormation templates of docs/guides/cloudformation: their permissions, their metrics, and a deployment."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml  # type: ignore[import-untyped]

from image_classifier.contract import drift_metrics
from tests.support.aws import ACCOUNT, CREDENTIALS, aws_on_this_machine
from tests.support.guides import GUIDES

FOLDER = GUIDES / "cloudformation"
TEMPLATES = sorted(FOLDER.glob("*.yaml"))
REGION = "eu-west-1"
VALUES = {
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "BucketName": "my-bucket",
    "RepositoryName": "image-classifier",
    "ExecutionRole.Arn": f"arn:aws:iam::{ACCOUNT}:role/sagemaker",
}
"""The placeholders of docs/guides/iam."""
ENDPOINT = {
    "EndpointName": "flowers",
    "ImageUri": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/image-classifier:latest-serve",
    "ModelDataUrl": "s3://my-bucket/image-classifier/jobs/flowers/output/model.tar.gz",
    "ExecutionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/sagemaker",
    "CaptureUri": "s3://my-bucket/image-classifier/captured/flowers",
}


class Loader(yaml.SafeLoader):  # type: ignore[misc]
    """A loader that puts the placeholders' values in the place of !Ref, !Sub and !GetAtt."""


def _intrinsic(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> Any:
    if not isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_sequence(node, deep=True)}
    text = str(node.value)
    if name == "Sub":
        for placeholder, value in VALUES.items():
            text = text.replace(f"${{{placeholder}}}", value)
        return text
    return VALUES.get(text, text)


Loader.add_multi_constructor("!", _intrinsic)


def read(name: str) -> dict[str, Any]:
    """Return a template."""
    found: dict[str, Any] = yaml.load((FOLDER / name).read_text(encoding="utf-8"), Loader)
    return found


@pytest.mark.parametrize(("role", "policy"), [("ExecutionRole", "execution-role"), ("SchedulerRole", "scheduler-role")])
def test_roles_have_the_permissions_of_the_policies(role: str, policy: str) -> None:
    """Given a role of the template -> the statements and the trust policy of docs/guides/iam, which tests compare."""
    properties = read("execution-role.yaml")["Resources"][role]["Properties"]
    (made,) = properties["Policies"]
    assert made["PolicyDocument"] == json.loads((GUIDES / "iam" / f"{policy}.json").read_text(encoding="utf-8"))
    trust = json.loads((GUIDES / "iam" / f"{policy}-trust.json").read_text(encoding="utf-8"))
    assert properties["AssumeRolePolicyDocument"] == trust


def test_drift_alarm_watches_the_metric_of_the_monitor_verb() -> None:
    """Given the template's alarm -> the namespace, metric and dimension that the verb writes."""
    alarm = read("endpoint.yaml")["Resources"]["DriftAlarm"]["Properties"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (drift_metrics.NAMESPACE, drift_metrics.DRIFTED_FEATURES)
    assert [one["Name"] for one in alarm["Dimensions"]] == [drift_metrics.ENDPOINT]


def test_template_tags_nothing_as_made_by_this_program() -> None:
    """Given the template -> no tag by which scripts/launch delete would take a stack's resources away."""
    assert "created-by" not in (FOLDER / "endpoint.yaml").read_text(encoding="utf-8")


@pytest.mark.every
@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_templates_pass_cfn_lint(path: Path) -> None:
    """Given a template -> no error and no warning by the resource schemas of AWS; an unknown property is one."""
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--regions", REGION, "--"]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.every
def test_cfn_lint_finds_a_planted_fault(tmp_path: Path) -> None:
    """Given a property that does not exist -> cfn-lint names it."""
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text((FOLDER / "endpoint.yaml").read_text(encoding="utf-8").replace("InstanceType: !", "Instances: !"))
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--regions", REGION, "--"]
    done = subprocess.run([*command, str(wrong)], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode != 0
    assert "Instances" in done.stdout


@pytest.mark.every
@pytest.mark.filterwarnings("ignore:Tried to parse AWS")
def test_templates_are_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given moto's CloudFormation, which lacks alarms and scaling -> an endpoint with capture, and both roles."""
    with aws_on_this_machine() as address:
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": address, "AWS_DEFAULT_REGION": REGION}.items():
            monkeypatch.setenv(name, value)
        formation = boto3.client("cloudformation")
        for name, values in (("endpoint", ENDPOINT), ("execution-role", {"BucketName": "my-bucket"})):
            formation.create_stack(
                StackName=name,
                TemplateBody=(FOLDER / f"{name}.yaml").read_text(encoding="utf-8"),
                Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
                Capabilities=["CAPABILITY_IAM"],
            )
            assert formation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
        sagemaker = boto3.client("sagemaker")
        (endpoint,) = sagemaker.list_endpoints()["Endpoints"]
        assert endpoint["EndpointStatus"] == "InService"
        (configuration,) = sagemaker.list_endpoint_configs()["EndpointConfigs"]
        found = sagemaker.describe_endpoint_config(EndpointConfigName=configuration["EndpointConfigName"])
        assert found["DataCaptureConfig"]["EnableCapture"]
        assert found["ProductionVariants"][0]["VariantName"] == "all"
        assert len(boto3.client("iam").list_roles()["Roles"]) == 2
