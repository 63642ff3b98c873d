import json
import subprocess
import sys

import boto3
import pytest

from image_classifier.contract.monitoring_variables import VARIABLES
from tests.support.aws import CREDENTIALS, aws_on_this_machine
from tests.support.guides import script


def test_every_call_of_the_drift_guide_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given the guide's blocks and a stand-in for AWS -> job, schedule and alarm exist, and fit together."""
    with aws_on_this_machine() as address:
        for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": address, "AWS_DEFAULT_REGION": "eu-west-1"}.items():
            monkeypatch.setenv(name, value)
        text = script("drift.md", "The same with boto3")
        done = subprocess.run(
            [sys.executable, "-"], input=text, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stderr[-4000:]
        job = boto3.client("sagemaker").describe_processing_job(ProcessingJobName="drift-by-hand")
        assert job["AppSpecification"]["ContainerEntrypoint"] == ["monitor"]
        target = boto3.client("scheduler").get_schedule(Name="drift-shop")["Target"]
        planned = json.loads(target["Input"])
        assert planned["ProcessingJobName"] == "drift-<aws.scheduler.execution-id>"
        assert planned["Environment"]["end_time"] == "<aws.scheduler.scheduled-time>"
        assert planned["Environment"].keys() <= {variable.name for variable in VARIABLES}
        (alarm,) = boto3.client("cloudwatch").describe_alarms()["MetricAlarms"]
        assert (alarm["Namespace"], alarm["MetricName"]) == ("ImageClassifier/Drift", "drifted_features")
        assert alarm["Dimensions"] == [{"Name": "Endpoint", "Value": planned["Environment"]["sagemaker_endpoint_name"]}]
