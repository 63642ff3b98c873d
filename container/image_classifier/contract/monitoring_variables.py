"""The environment variables of the verb `monitor`, declared once: reader, messages and reference use them.

Those in lower case are Model Monitor's container contract, which sets them itself.
"""

from image_classifier.contract.variable import Variable, text, truth, whole_number, word

_TIME = "a time such as 2026-11-30T05:00:00Z"

DATASET_SOURCE = text(
    "dataset_source",
    "/opt/ml/processing/input/capture",
    "a folder or a file",
    "Captured lines: `<endpoint>/<variant>/yyyy/mm/dd/hh/*.jsonl` or any folder of such files.",
)
OUTPUT_PATH = text("output_path", "/opt/ml/processing/output", "a folder", "Where the reports are written.")
MODEL = text(
    "MONITOR_MODEL",
    "/opt/ml/processing/input/model",
    "a model folder, or a folder with a model.tar.gz",
    "The deployed model, whose drift baseline production is compared with.",
)
BASELINE_STATISTICS = text(
    "baseline_statistics",
    "",
    "a statistics.json, or a folder with one",
    "Baseline of a Model Monitor schedule; replaces the model's.",
)
BASELINE_CONSTRAINTS = text(
    "baseline_constraints",
    "",
    "a constraints.json, or a folder with one",
    "Thresholds, domains and completeness; if unset, the suggested ones of the baseline.",
)
START_TIME = text("start_time", "", _TIME, "Captured requests before this time are ignored.")
END_TIME = text("end_time", "", _TIME, "Captured requests from this time on are ignored.")
WINDOW_HOURS = whole_number(
    "MONITOR_WINDOW_HOURS",
    0,
    0,
    8784,
    "Without start_time: the hours before end_time, or before now, that are compared; 0 for everything.",
)
MOST_IMAGES = whole_number(
    "MONITOR_MAX_IMAGES",
    2000,
    30,
    100_000,
    "Maximum number of images that are compared; from more captured requests a random sample is drawn.",
)
PUBLISH_METRICS = word(
    "publish_cloudwatch_metrics",
    ("Disabled", "Enabled"),
    "Model Monitor: whether to write metric lines to `/opt/ml/output/metrics/cloudwatch`.",
)
METRICS_IN_LOG = truth(
    "MONITOR_METRICS", True, "Print the metrics in CloudWatch's embedded metric format, as one line of the log."
)
DATASET_FORMAT = text("dataset_format", "", "JSON, set by Model Monitor", "If set, must name sagemakerCaptureJson.")
ENDPOINT_NAME = text(
    "sagemaker_endpoint_name",
    "",
    "a name",
    "Dimension `Endpoint` of the metrics; if unset, from the folders of the captured lines.",
)
SCHEDULE_NAME = text(
    "sagemaker_monitoring_schedule_name", "", "a name", "Dimension `MonitoringSchedule` of the metrics."
)

VARIABLES: tuple[Variable[object], ...] = tuple(
    found for found in list(globals().values()) if isinstance(found, Variable)
)
"""All of them, in the order of declaration."""
