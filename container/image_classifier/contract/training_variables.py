"""The environment variables that a training job reads, declared once: reader, messages and reference use them."""

from image_classifier.contract.variable import Variable, seconds, text

HOSTS_WAIT = seconds(
    "HOSTS_WAIT_SECONDS", 900, "How long a host waits for the other hosts of the job to join before training starts."
)
LOST_HOST = seconds(
    "LOST_HOST_SECONDS", 60, "Heartbeat timeout: a host that sends no heartbeat for so long counts as lost."
)
HUNG_HOST = seconds(
    "HUNG_HOST_SECONDS",
    1800,
    "How long the others wait for a host that sends heartbeats but does not reach the next collective operation.",
)
HUB_DIR = text(
    "MODEL_HUB_DIR", "/opt/hub", "a folder", "Where the image holds staged backbones for jobs without a model channel."
)

VARIABLES: tuple[Variable[object], ...] = (HOSTS_WAIT, LOST_HOST, HUNG_HOST, HUB_DIR)  # type: ignore[assignment]
