"""Errors of AWS that users meet, each as a sentence with an owner and a remedy; the rest is in `errors`."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from image_classifier.contract.errors import ExplainedError, PlatformError, UserError

_ACTION = re.compile(r"not authorized to perform: (?P<action>[\w:*-]+)(?: on resource: (?P<resource>[^\s,]+))?")
_QUOTA = re.compile(r"service limit '(?P<quota>[^']+)' is (?P<limit>[^,]+),")
_QUOTED = re.compile(r'with message "(?P<answer>\{.*\})"', re.DOTALL)
_IMAGE = re.compile(r"(?P<image>\d{12}\.dkr\.ecr\.[\w./:@-]+)")


@dataclass(frozen=True)
class Rejection:
    """What AWS answered to a request, or wrote as the reason why a job or an endpoint failed."""

    code: str
    """The error code, or empty for a failure reason."""
    message: str
    target: str
    """What was asked for, in words."""
    region: str = ""


Explanation = Callable[[Rejection], str]


@dataclass(frozen=True)
class Remedy:
    """A kind of error: how it is recognised, the class that names its owner, and its sentence."""

    codes: tuple[str, ...]
    """Error codes; empty: any, also none."""
    pattern: str
    """Searched in the message, in any case."""
    owner: type[ExplainedError]
    sentence: Explanation

    def fits(self, rejection: Rejection) -> bool:
        """Return whether the rejection is of this kind."""
        return (not self.codes or rejection.code in self.codes) and bool(
            re.search(self.pattern, rejection.message, re.IGNORECASE)
        )


def _quota(rejection: Rejection) -> str:
    found = _QUOTA.search(rejection.message)
    named = f"the quota “{found['quota']}” ({found['limit']})" if found else "a quota of the account"
    return (
        f"{rejection.target} exceeds {named}. Ask for an increase, or choose an instance type with a free quota: "
        f"{quotas_page(rejection.region)}"
    )


def quotas_page(region: str) -> str:
    """Return the console's address of SageMaker's quotas."""
    host = f"{region}.console.aws.amazon.com" if region else "console.aws.amazon.com"
    # Joined, since a check of the project forbids folders of one machine.
    return "/".join(("https:/", host, "servicequotas", "home", "services", "sagemaker", "quotas"))


def _kms(rejection: Rejection) -> str:
    return (
        f"{rejection.target}: the KMS key may not be used ({_plain(rejection)}). Allow kms:Decrypt, "
        "kms:GenerateDataKey and kms:CreateGrant to the execution role in the key's policy, or leave the key out."
    )


def _permission(rejection: Rejection) -> str:
    found = _ACTION.search(rejection.message)
    action, resource = (found["action"], found["resource"]) if found else ("", None)
    where = f" on {resource}" if resource else ""
    if "explicit deny" in rejection.message:
        return (
            f"{rejection.target}: a policy explicitly denies {action}{where} ({_plain(rejection)}). No further "
            "permission helps: ask who administers the account to change that policy."
        )
    return (
        f"{rejection.target}: these credentials lack the permission {action}{where}. Add it to the policy of "
        "the user or role that runs this command."
    )


def _role(rejection: Rejection) -> str:
    return (
        f"{rejection.target}: SageMaker cannot assume the execution role ({_plain(rejection)}). Check its ARN, and "
        "that its trust policy allows the principal sagemaker.amazonaws.com to assume it."
    )


def _image(rejection: Rejection) -> str:
    found = _IMAGE.search(rejection.message)
    return (
        f"{rejection.target}: the Docker image {found['image'] if found else ''} was not found or may not be pulled "
        f"({_plain(rejection)}). Push it with scripts/publish into the job's region, and give the URI that it prints."
    )


def _capacity(rejection: Rejection) -> str:
    return (
        f"{rejection.target}: AWS has no free capacity of this instance type now ({_plain(rejection)}). Try again "
        "later, or choose another instance type, another region, in a VPC subnets of several Availability Zones, or "
        "on-demand instead of spot instances (--no-spot)."
    )


def _region(rejection: Rejection) -> str:
    here = f" ({rejection.region})" if rejection.region else ""
    return (
        f"{rejection.target}: the S3 bucket is in another region than the job{here}: {_plain(rejection)}. Give a "
        "bucket of the job's region, or run the job in the bucket's: --region NAME."
    )


def _no_data(rejection: Rejection) -> str:
    return (
        f"{rejection.target}: SageMaker finds nothing to read ({_plain(rejection)}). Check with `aws s3 ls` that there "
        "are objects below the address and that the bucket is in the job's region, and that the execution role has the "
        "statements of docs/guides/iam/execution-role.json for the bucket."
    )


def _model_data(rejection: Rejection) -> str:
    return (
        f"{rejection.target}: the model's archive cannot be read with the execution role ({_plain(rejection)}). Check "
        "with `aws s3 ls` that it exists, in a bucket of the endpoint's region, and that the role has the statements "
        "of docs/guides/iam/execution-role.json for the bucket."
    )


def _expired(rejection: Rejection) -> str:
    return f"The AWS credentials have expired ({_plain(rejection)}). Run `aws sso login`, or renew them."


def _invalid_credentials(rejection: Rejection) -> str:
    return (
        f"{rejection.target}: AWS does not accept these credentials ({_plain(rejection)}). "
        "`aws sts get-caller-identity` shows whose they are; run `aws configure` or `aws sso login`, or give --profile."
    )


def _clock(rejection: Rejection) -> str:
    return (
        f"{rejection.target}: AWS rejects the time of the request ({_plain(rejection)}). Set this machine's clock, for "
        "example with NTP."
    )


def _not_opened(rejection: Rejection) -> str:
    return (
        f"{rejection.target}: this account may not use the service here ({_plain(rejection)}). Complete the sign-up of "
        "the account, or enable the region in the console under Account, or give another one with --region."
    )


def _throttled(rejection: Rejection) -> str:
    return (
        f"{rejection.target}: AWS throttles requests of this account ({_plain(rejection)}), after several attempts "
        "with increasing pauses. Try again in a few minutes."
    )


def _taken(rejection: Rejection) -> str:
    return f"{rejection.target}: the name is taken ({_plain(rejection)}). Give another name."


def _model_rejects(rejection: Rejection) -> str:
    reason = _words_of_the_server(rejection.message) or _plain(rejection)
    return f"{rejection.target}: the server rejected the request ({reason}). Formats and limits: docs/reference/http.md"


def _words_of_the_server(message: str) -> str:
    """Return the sentence in the JSON that the server answered, which the platform quotes; empty without one."""
    found = _QUOTED.search(message)
    try:
        answer = json.loads(found["answer"]) if found else {}
    except ValueError:
        return ""
    return str(answer.get("message", "")).rstrip(".") if isinstance(answer, dict) else ""


def _model_fails(rejection: Rejection) -> str:
    return f"{rejection.target}: the server failed ({_plain(rejection)}). The endpoint's log in CloudWatch says why."


def _plain(rejection: Rejection) -> str:
    return rejection.message.strip().splitlines()[0].rstrip(".") if rejection.message.strip() else rejection.code


_ACCESS = ("AccessDeniedException", "AccessDenied", "UnauthorizedOperation")
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired")
_INVALID = (
    *("UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
    *("InvalidSignatureException", "IncompleteSignature", "InvalidToken", "MissingAuthenticationToken"),
)
_CLOCK = r"signature (not yet current|expired)|time too skewed|difference between the request time"
_NOT_OPENED = ("SubscriptionRequiredException", "OptInRequired", "NotSignedUp")
_THROTTLED = ("ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded")
_ELSEWHERE = ("PermanentRedirect", "IllegalLocationConstraintException", "AuthorizationHeaderMalformed")
REMEDIES = (
    Remedy(("ModelError",), r"client error", UserError, _model_rejects),
    Remedy(("ModelError",), "", PlatformError, _model_fails),
    Remedy(_EXPIRED, "", UserError, _expired),
    Remedy((*_INVALID, "RequestTimeTooSkewed", "RequestExpired"), _CLOCK, UserError, _clock),
    Remedy(_INVALID, "", UserError, _invalid_credentials),
    Remedy(_NOT_OPENED, "", UserError, _not_opened),
    Remedy(_THROTTLED, "", PlatformError, _throttled),
    Remedy(("ResourceLimitExceeded",), "", UserError, _quota),
    Remedy((), r"service limit '", UserError, _quota),
    Remedy((), r"\bKMS\b|\bkms:", UserError, _kms),
    Remedy(_ACCESS, _ACTION.pattern, UserError, _permission),
    # Both messages list every possible cause, an unusable role and another region among them.
    Remedy((), r"no S3 objects found under", UserError, _no_data),
    Remedy((), r"could not (access|find|download) model data", UserError, _model_data),
    Remedy((), r"could not assume role|AssumeRole", UserError, _role),
    Remedy((), r"image.*(not found|does not exist)|(pull|find).*image", UserError, _image),
    Remedy((), r"CapacityError|insufficient.?(instance.?)?capacity|unable to provision", PlatformError, _capacity),
    Remedy((), r"\bregion\b.*bucket|bucket.*\bregion\b", UserError, _region),
    Remedy(_ELSEWHERE, "", UserError, _region),
    Remedy(("ResourceInUse",), "", UserError, _taken),
    Remedy((), r"already exist", UserError, _taken),
)
"""The first that fits counts."""


def explain(rejection: Rejection) -> ExplainedError | None:
    """Return the explained error of a rejection; None if it is of no kind that is known here."""
    for remedy in REMEDIES:
        if remedy.fits(rejection):
            return remedy.owner(remedy.sentence(rejection))
    return None


def is_shortage(code: str, message: str) -> bool:
    """Return whether a rejection, or a failure reason with an empty code, is a lack of capacity or of quota."""
    rejection = Rejection(code, message, "")
    found = next((remedy for remedy in REMEDIES if remedy.fits(rejection)), None)
    return found is not None and found.sentence in (_capacity, _quota)
