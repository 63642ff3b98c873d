"""Errors of AWS, each as AWS words it, over HTTP, and the sentence that the user sees."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from image_classifier.cloud.sagemaker import session
from image_classifier.cloud.sagemaker.training import create_training_job
from image_classifier.contract.errors import ExplainedError, PlatformError, UserError
from tests.support.sagemaker_service import Fault, SageMakerService, sagemaker_on_this_machine
from tests.unit.cloud.test_training_request import job

QUOTA = (
    "The account-level service limit 'ml.g5.2xlarge for training job usage' is 0 Instances, with current utilization "
    "of 0 Instances and a request delta of 1 Instances. Please use AWS Service Quotas to request an increase."
)
CASES = [
    (
        Fault("ResourceLimitExceeded", QUOTA),
        UserError,
        r"quota “ml\.g5\.2xlarge for training job usage” \(0 Instances\).*"
        r"https://eu-west-1\.console\.aws\.amazon\.com/servicequotas/\w+/services/sagemaker/quotas$",
    ),
    (
        Fault(
            "AccessDeniedException",
            "User: arn:aws:iam::123456789012:user/me is not authorized to perform: iam:PassRole on resource: "
            "arn:aws:iam::123456789012:role/sagemaker because no identity-based policy allows the iam:PassRole action",
        ),
        UserError,
        "lack the permission iam:PassRole on arn:aws:iam::123456789012:role/sagemaker",
    ),
    (
        Fault("ValidationException", "Could not assume role arn:aws:iam::123456789012:role/x. Please ensure it exists"),
        UserError,
        r"cannot assume the execution role .* trust policy allows the principal sagemaker\.amazonaws\.com",
    ),
    (
        Fault("ValidationException", "Requested image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/x:1 not found."),
        UserError,
        r"image 123456789012\.dkr\.ecr\.eu-west-1\.amazonaws\.com/x:1 was not found.* Push it with scripts/publish",
    ),
    (
        Fault(
            "ValidationException",
            'No S3 objects found under S3 URL "s3://b/data/1" given in input data source. Please ensure that the '
            "bucket exists in the selected region (eu-west-1), that objects exist under that S3 prefix, and that the "
            'role "arn:aws:iam::123456789012:role/sagemaker" has "s3:ListBucket" permissions on bucket "b".',
        ),
        UserError,
        r"finds nothing to read .* `aws s3 ls` .*execution-role\.json",
    ),
    (
        Fault("ValidationException", "No S3 objects found: the bucket b is in a different region than the job."),
        UserError,
        r"in another region than the job \(eu-west-1\).* --region NAME",
    ),
    (
        Fault(
            "AccessDeniedException", "The ciphertext refers to a KMS key that does not exist or you lack kms:Decrypt"
        ),
        UserError,
        r"KMS key may not be used .* kms:CreateGrant to the execution role",
    ),
    (
        Fault("InternalFailure", "InsufficientInstanceCapacity: no ml.p5.48xlarge", 500),
        PlatformError,
        "no free capacity .* another instance type",
    ),
    (
        Fault("ValidationException", "HyperParameters has an invalid key"),
        UserError,
        "AWS rejected CreateTrainingJob for the training job flowers.*It requires sagemaker:CreateTrainingJob",
    ),
    (Fault("ResourceInUse", "Training job names must be unique"), UserError, "the name is taken .* another name"),
    (
        Fault("UnrecognizedClientException", "The security token included in the request is invalid.", 403),
        UserError,
        "AWS does not accept these credentials .*`aws sts get-caller-identity`",
    ),
    (
        Fault("InvalidSignatureException", "Signature expired: 20261130T0000Z is now earlier than 20261201T0000Z", 403),
        UserError,
        r"rejects the time of the request .* Set this machine's clock",
    ),
    (
        Fault("OptInRequired", "You are not subscribed to this service", 403),
        UserError,
        "this account may not use the service here .* enable the region",
    ),
    (
        Fault(
            "AccessDeniedException",
            "User: arn:aws:iam::123456789012:user/me is not authorized to perform: sagemaker:CreateTrainingJob on "
            "resource: arn:aws:sagemaker:eu-west-1:123456789012:training-job/x with an explicit deny in a service "
            "control policy",
        ),
        UserError,
        "a policy explicitly denies sagemaker:CreateTrainingJob on .*administers the account",
    ),
    (
        Fault("ServiceUnavailable", "<html><head><title>503 Service\nUnavailable</title></head></html>", 503),
        PlatformError,
        r"AWS answered ServiceUnavailable: an HTML page with the title '503 Service Unavailable'\. Try again later",
    ),
    (Fault("ExpiredTokenException", "The security token is expired"), UserError, "have expired .* `aws sso login`"),
]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMakerService]:
    """SageMaker on this machine, whose clients do not pause between attempts."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
    with sagemaker_on_this_machine(monkeypatch) as found:
        yield found


@pytest.mark.parametrize(("fault", "owner", "sentence"), CASES, ids=lambda value: getattr(value, "code", ""))
def test_error_becomes_a_sentence_with_owner_and_remedy(
    service: SageMakerService, fault: Fault, owner: type[ExplainedError], sentence: str
) -> None:
    """Given an answer of AWS -> the owner's error, with what to do."""
    service.faults["CreateTrainingJob"] = [fault] * session.ATTEMPTS
    with pytest.raises(owner, match=sentence):
        session.open_session().send(create_training_job(job()))


def test_throttled_request_is_repeated(service: SageMakerService) -> None:
    """Given two throttled attempts -> the third succeeds; given nothing but throttled ones -> a PlatformError."""
    throttled = Fault("ThrottlingException", "Rate exceeded")
    service.faults["CreateTrainingJob"] = [throttled] * 2
    session.open_session().send(create_training_job(job()))
    assert service.operations() == ["CreateTrainingJob"] * 3
    service.faults["CreateTrainingJob"] = [throttled] * session.ATTEMPTS
    with pytest.raises(PlatformError, match=r"AWS throttles requests .* Try again in a few minutes"):
        session.open_session().send(create_training_job(replace(job(), name="another")))


def test_address_without_a_scheme_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an AWS_ENDPOINT_URL that is not a URL -> a UserError that names the variable, not a traceback."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "127.0.0.1:9")
    with pytest.raises(UserError, match=r"Invalid endpoint: 127\.0\.0\.1:9\. Correct AWS_ENDPOINT_URL"):
        session.open_session("eu-west-1").send(create_training_job(job()))


def test_region_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no region -> a UserError that says where to give one."""
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(UserError, match="--region eu-west-1"):
        session.open_session()
