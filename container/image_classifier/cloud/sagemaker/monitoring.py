"""Drift monitoring of an endpoint: the Processing job, the schedule that starts it, and the alarm on its metrics.

EventBridge Scheduler calls CreateProcessingJob itself (a universal target), and replaces the keywords in angle
brackets at each run: EventBridge Scheduler user guide, Adding context attributes. The metrics come from the job's log
in CloudWatch's embedded metric format, which CloudWatch Logs extracts from any log event.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from image_classifier.cloud.s3 import Location
from image_classifier.cloud.sagemaker import names
from image_classifier.cloud.sagemaker.calls import Call
from image_classifier.cloud.sagemaker.kinds import SCHEDULE
from image_classifier.cloud.sagemaker.monitor_options import MonitorOptions
from image_classifier.cloud.sagemaker.monitored import Monitored
from image_classifier.cloud.sagemaker.options import TrainingOptions
from image_classifier.cloud.sagemaker.processing import container_input, request
from image_classifier.cloud.sagemaker.session import Session
from image_classifier.cloud.sagemaker.tags import CREATED_BY, PROGRAM_NAME, as_mapping, tags
from image_classifier.contract import drift_metrics, monitoring_variables
from image_classifier.contract.errors import UserError

LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
TARGET = "arn:aws:scheduler:::aws-sdk:sagemaker:createProcessingJob"
EXECUTION_ID, SCHEDULED_TIME = "<aws.scheduler.execution-id>", "<aws.scheduler.scheduled-time>"
_EXAMPLES = {EXECUTION_ID: "d32c5kddcf5bb8c3", SCHEDULED_TIME: "2026-11-30T06:00:00Z"}
"""Values as the user guide shows them, with which a request is checked."""
_SCHEDULE = "drift"
"""Name of the schedule; its group has the endpoint's name."""
_LONGEST_PREFIX = 26
"""Characters of a job's name before the execution id, whose length is not documented: 36 remain for it."""
_MAX_RUNTIME = 3_600
_MODEL = "model"
"""The input with the drift baseline."""
_KEPT = (
    *("Name", "GroupName", "Description", "ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow"),
    *("State", "StartDate", "EndDate", "KmsKeyArn", "ActionAfterCompletion"),
)
"""What UpdateSchedule would reset if it was left out."""


@dataclass(frozen=True)
class Monitor:
    """An endpoint and how it is monitored."""

    target: Monitored
    options: TrainingOptions
    how: MonitorOptions
    storage: Location
    """The folder below which reports are written."""

    @property
    def marks(self) -> list[dict[str, str]]:
        """The tags of everything that is made."""
        return tags(self.target.experiment, self.options.tag_mapping)

    @property
    def name(self) -> str:
        """The name of the alarm and of its topic."""
        return f"drift-{self.target.endpoint}"

    @property
    def topic(self) -> str:
        """The ARN of the topic that the alarm notifies; empty without one."""
        if not self.how.alarm_email:
            return self.how.sns
        _, partition, _, _, account, _ = self.options.role.split(":", 5)
        return f"arn:{partition}:sns:{self.options.region}:{account}:{self.name}"

    def job_name(self, unique: str) -> str:
        """Return the name of a job, which AWS accepts once."""
        return f"{f'drift-{names.plain(self.target.endpoint)}'[: _LONGEST_PREFIX - 1].rstrip('-')}-{unique}"

    def reports(self, job: str) -> Location:
        """Return the folder of a job's reports."""
        return self.storage.below(f"drift/{self.target.endpoint}/{job}")


def create_processing_job(found: Monitor, unique: str, end_time: str) -> Call:
    """Return the request that compares the requests before a time; `unique` ends the job's name."""
    options, how, name = found.options, found.how, found.job_name(unique)
    output = ("drift", found.reports(name).uri, monitoring_variables.OUTPUT_PATH.default)
    inputs = [
        container_input("capture", f"{found.target.captured.uri}/", monitoring_variables.DATASET_SOURCE.default),
        container_input(_MODEL, found.target.artefact, monitoring_variables.MODEL.default),
    ]
    cluster = (how.job_instance_type, how.job_volume_gb)
    parameters = {
        "ProcessingJobName": name,
        **request(options, "monitor", cluster, inputs, output, _MAX_RUNTIME),
        "Environment": {
            monitoring_variables.END_TIME.name: end_time,
            monitoring_variables.WINDOW_HOURS.name: str(how.hours),
            monitoring_variables.MOST_IMAGES.name: str(how.max_images),
            monitoring_variables.ENDPOINT_NAME.name: found.target.endpoint,
        },
        "Tags": found.marks,
    }
    return Call("sagemaker", "CreateProcessingJob", parameters, f"The processing job {name}")


def example_job(found: Monitor) -> Call:
    """Return the request of a run of the schedule, with example values for what is replaced, to be checked."""
    return create_processing_job(found, _EXAMPLES[EXECUTION_ID], _EXAMPLES[SCHEDULED_TIME])


def group(found: Monitor) -> Call:
    """Return the request that makes the schedule's group, which has its tags."""
    parameters = {"Name": found.target.endpoint, "Tags": found.marks}
    return Call("scheduler", "CreateScheduleGroup", parameters, f"The schedule group {found.target.endpoint}")


def schedule(found: Monitor, exists: bool) -> Call:
    """Return the request that makes the schedule, or that changes an existing one."""
    job = create_processing_job(found, EXECUTION_ID, SCHEDULED_TIME)
    parameters = {
        "Name": _SCHEDULE,
        "GroupName": found.target.endpoint,
        "Description": f"Drift of the endpoint {found.target.endpoint}",
        "ScheduleExpression": found.how.expression,
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": TARGET, "RoleArn": found.how.scheduler_role, "Input": json.dumps(job.parameters)},
    }
    words = f"The drift schedule of {found.target.endpoint}"
    if exists:
        return Call("scheduler", "UpdateSchedule", parameters, words)
    return Call("scheduler", "CreateSchedule", parameters, words)


def alarm(found: Monitor) -> Call:
    """Return the request that makes or changes the alarm.

    With a period the alarm has no data when a run is missing or had too few images, and says so. With cron(...) the
    time between two runs is unknown: the alarm keeps its state.
    """
    is_regular = found.how.period_seconds is not None
    actions = [found.topic] if found.topic else []
    parameters = {
        "AlarmName": found.name,
        "AlarmDescription": f"The requests of the endpoint {found.target.endpoint} differ from its training data.",
        "Namespace": drift_metrics.NAMESPACE,
        "MetricName": drift_metrics.DRIFTED_FEATURES,
        "Dimensions": [{"Name": drift_metrics.ENDPOINT, "Value": found.target.endpoint}],
        "Statistic": "Maximum",
        "Period": found.how.alarm_seconds,
        "EvaluationPeriods": 1,
        "Threshold": 0.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "missing" if is_regular else "ignore",
        "AlarmActions": actions,
        "InsufficientDataActions": actions if is_regular else [],
        "Tags": found.marks,
    }
    return Call("cloudwatch", "PutMetricAlarm", parameters, f"The alarm {found.name}")


def topic(found: Monitor) -> list[Call]:
    """Return the requests that make the alarm's topic and subscribe the address; empty without an address."""
    if not found.how.alarm_email:
        return []
    words = f"The alarm topic {found.name}"
    subscription = {"TopicArn": found.topic, "Protocol": "email", "Endpoint": found.how.alarm_email}
    return [
        Call("sns", "CreateTopic", {"Name": found.name, "Tags": found.marks}, words),
        Call("sns", "Subscribe", subscription, words),
    ]


def requests(found: Monitor, has_group: bool, exists: bool, has_alarm: bool = False) -> list[Call]:
    """Return every request of a schedule in order; without an alarm if another one watches the metric already."""
    watching = [] if has_alarm else [*topic(found), alarm(found)]
    return [*watching, *([] if has_group else [group(found)]), schedule(found, exists)]


def other_alarm(session: Session, found: Monitor) -> str:
    """Return the name of an alarm on the endpoint's drift that this program did not make; empty without one.

    Raises:
        ExplainedError: AWS rejects the request or cannot be reached.
    """
    watched = alarm(found).parameters
    parameters = {name: watched[name] for name in ("Namespace", "MetricName", "Dimensions")}
    words = f"The alarms on the drift of {found.target.endpoint}"
    answer = session.send(Call("cloudwatch", "DescribeAlarmsForMetric", parameters, words))
    others = [
        str(each["AlarmName"])
        for each in answer["MetricAlarms"]
        if each["AlarmName"] != found.name and each["Dimensions"] == watched["Dimensions"]
    ]
    return next(iter(others), "")


def follow_model(session: Session, target: Monitored, schedule: Mapping[str, Any]) -> bool:
    """Let an existing schedule compare with the model that the endpoint serves now; return whether that was another.

    Raises:
        ExplainedError: AWS rejects the request or cannot be reached.
    """
    job = json.loads(schedule["Target"]["Input"])
    (model,) = (each for each in job["ProcessingInputs"] if each["InputName"] == _MODEL)
    if model["S3Input"]["S3Uri"] == target.artefact:
        return False
    model["S3Input"]["S3Uri"] = target.artefact
    kept = {name: schedule[name] for name in _KEPT if schedule.get(name) is not None}
    changed = {**kept, "Target": {**schedule["Target"], "Input": json.dumps(job)}}
    session.send(Call("scheduler", "UpdateSchedule", changed, f"The drift schedule of {target.endpoint}"))
    return True


def find_schedule(session: Session, endpoint: str) -> dict[str, Any] | None:
    """Return the drift schedule of an endpoint; None without one.

    Raises:
        ExplainedError: AWS rejects the request or cannot be reached.
    """
    parameters = {"GroupName": endpoint, "Name": _SCHEDULE}
    return session.find(Call("scheduler", "GetSchedule", parameters, f"The drift schedule of {endpoint}"))


def existing(session: Session, found: Monitor) -> tuple[bool, bool]:
    """Return whether the schedule's group exists, and whether the schedule does.

    Raises:
        UserError: Something else made the group, or it is being deleted.
    """
    name = found.target.endpoint
    known = session.find(SCHEDULE.call("Describe", name))
    if known is None:
        return False, False
    if str(known["State"]) == "DELETING":
        raise UserError(f"The earlier drift schedule of {name} is still being deleted. Try again in a minute.")
    words = f"The tags of the schedule group {name}"
    marks = session.send(Call("scheduler", "ListTagsForResource", {"ResourceArn": str(known["Arn"])}, words))
    if as_mapping(marks["Tags"]).get(CREATED_BY) != PROGRAM_NAME:
        raise UserError(
            f"EventBridge Scheduler has a group {name} already, which this program did not make. Deploy the endpoint "
            "under another name, or delete the group."
        )
    return True, find_schedule(session, name) is not None
