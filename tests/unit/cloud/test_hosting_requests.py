from pathlib import Path
from typing import Any

import pytest

from image_classifier.cloud import s3
from image_classifier.cloud.sagemaker import calls, endpoint_options, hosting, options
from image_classifier.cloud.sagemaker.hosting import Deployment
from image_classifier.contract.errors import UserError
from tests.support.golden_files import assert_golden
from tests.support.sagemaker_service import IMAGE, ROLE

GOLDEN = Path(__file__).parent / "golden"
CASES: dict[str, dict[str, Any]] = {
    "hosting_real_time": {"max_instances": 3, "capture_percent": 10, "start_timeout_seconds": 600},
    "hosting_serverless": {"kind": "serverless", "memory_mb": 4096},
    "hosting_asynchronous": {"kind": "asynchronous", "error_topic": "arn:aws:sns:eu-west-1:123456789012:errors"},
    "hosting_multi_model": {"kind": "multi-model"},
    "hosting_alternatives": {"endpoint_instance_type": "ml.c6i.large,ml.c5.large", "retry_for": "30m"},
}


def deployment(**given: Any) -> Deployment:
    """Return a deployment with some options of the endpoint."""
    return Deployment(
        endpoint="flowers",
        version="flowers-20261130-120000",
        experiment="flowers",
        artefact="s3://bucket/image-classifier/jobs/flowers/output/model.tar.gz",
        image=IMAGE,
        storage=s3.parse("s3://bucket/image-classifier"),
        environment={"SERVE_EXPLAIN": "false"},
        options=options.parse({"role": ROLE, "kms_key": "alias/mine", "tags": {"team": "vision"}}),
        how=endpoint_options.parse(given),
    )


@pytest.mark.parametrize("name", CASES)
def test_requests_are_the_golden_ones_and_valid(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a way to serve -> the requests of the golden file in order, which botocore's service models accept."""
    monkeypatch.setattr("image_classifier.cloud.sagemaker.tags.__version__", "1.2.3")
    found = hosting.requests(deployment(**CASES[name]), exists=False)
    calls.validate(found)
    assert_golden(GOLDEN / f"{name}.json", [call.as_json() for call in found])


def test_existing_endpoint_is_updated() -> None:
    """Given an endpoint that exists -> UpdateEndpoint with the new configuration, which takes no tags."""
    call = hosting.create_endpoint(deployment(), exists=True)
    calls.validate([call])
    assert call.operation == "UpdateEndpoint"
    assert "Tags" not in call.parameters


def test_contradictions_are_one_message() -> None:
    """Given options that do not fit the kind of endpoint -> one error with all of them."""
    with pytest.raises(UserError) as caught:
        endpoint_options.parse({"kind": "serverless", "capture_percent": 5, "memory_mb": 1000, "error_topic": "x"})
    for part in ("scales by itself and captures nothing", "memory_mb is 1000", "for kind = asynchronous"):
        assert part in str(caught.value)
    with pytest.raises(UserError, match="max_instances is 1, less than instances, 2"):
        endpoint_options.parse({"instances": 2, "max_instances": 1})


def test_capacity_options_that_contradict_the_kind_are_rejected() -> None:
    """Given alternatives for many models, none for a serverless endpoint, and too long a time -> one error each."""
    types = {"endpoint_instance_type": "ml.c6i.large,ml.c5.large"}
    for given, part in (
        ({"kind": "multi-model", **types}, "for endpoints of one model"),
        ({"kind": "serverless", "retry_for": "10m"}, "for endpoints with instances"),
        ({"retry_for": "2h"}, "from 5m to 60m"),
        ({"retry_for": "soon"}, "retry_for: 'soon'"),
        ({"endpoint_instance_type": ","}, "one type, or up to five"),
    ):
        with pytest.raises(UserError, match=part):
            endpoint_options.parse(given)
