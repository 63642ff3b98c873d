"""The environment variables that serving reads, declared once: reader, messages and reference come from here."""

import logging

from image_classifier.contract.variable import Variable, log_level, text, truth, whole_number, word

PORT = whole_number("SAGEMAKER_BIND_TO_PORT", 8080, 1, 65535, "The port to listen on.")
HOST = text("SERVE_HOST", "0.0.0.0", "an address of this machine", "The address to listen on.")
WORKERS = whole_number(
    "SAGEMAKER_MODEL_SERVER_WORKERS", 1, 1, 256, "Processes, each with its own copy of the model and all threads."
)
IN_FLIGHT = whole_number(
    "SERVE_MAX_IN_FLIGHT",
    64,
    1,
    1000,
    "Requests that a process works on or lets wait; more get 503 with Retry-After at once.",
    computed="32 a CPU, 64 to 1000",
)
HEADER_SECONDS = whole_number(
    "SERVE_HEADER_SECONDS", 10, 1, 3600, "Seconds in which a request's header must arrive; a new connection's too."
)
BODY_SECONDS = whole_number(
    "SERVE_BODY_SECONDS", 60, 1, 3600, "Seconds in which a request's body must arrive, and its answer be taken."
)
MAX_BODY = whole_number(
    "SERVE_MAX_BODY_MB",
    25,
    1,
    1024,
    "The largest body, in MB of 1,048,576 bytes.",
    computed="SAGEMAKER_MAX_PAYLOAD_IN_MB when it is given, else 100 in batch transform, else 25",
)
BODY_MEMORY = whole_number(
    "SERVE_BODY_MEMORY_MB",
    100,
    1,
    16384,
    "Memory for the bodies of a process together, in MB, each beyond its first 64 KB; never less than the largest body "
    "takes. What does not fit gets 503 with Retry-After.",
    computed="4 times SERVE_MAX_BODY_MB",
)
MAX_PIXELS = whole_number(
    "SERVE_MAX_PIXELS",
    250_000_000,
    1_000_000,
    1_000_000_000,
    "Width times height of an image, by its header. A large JPEG is decoded reduced; other formats, and what is left "
    "of a JPEG, may have 89,478,485 at most.",
)
MAX_REQUEST_PIXELS = whole_number(
    "SERVE_MAX_REQUEST_PIXELS",
    1_048_576_000,
    1_000_000,
    999_999_999_999,
    "Pixels of all images of a request together, by their headers: a list with more is rejected before any image is "
    "decoded, of a body of lines the lines beyond it.",
    computed="40 for each byte of SERVE_MAX_BODY_MB",
)
IMAGE_MEMORY = whole_number(
    "SERVE_MAX_IMAGE_MEMORY_MB",
    512,
    16,
    16384,
    "Memory that decoding one image may take, in MB: 4 to 16 bytes a pixel by its format, after a JPEG's reduction, "
    "and 3 to 8 more for a progressive JPEG.",
)
DECODE_MEMORY = whole_number(
    "SERVE_DECODE_MEMORY_MB",
    512,
    16,
    1_048_576,
    "Memory for all images that a process decodes at a time, in MB. An image that does not fit now waits; one that "
    "never fits gets 413.",
    computed="half of the memory that is free when the first image is decoded, divided by the processes",
)
WORK_SECONDS = whole_number(
    "SERVE_WORK_SECONDS",
    60,
    1,
    86400,
    "Seconds in which a request's images must be classified, ten times as many for a body of lines: after it the "
    "request gets 503, or the rest of the lines do.",
)
ANSWER_FILES = whole_number(
    "SERVE_ANSWER_FILES_MB",
    1024,
    8,
    1048576,
    "Space in the temporary folder (TMPDIR) for answers in lines beyond 8 MB each, of a process together, in MB. What "
    "does not fit gets 503.",
)
TIMEOUT = whole_number(
    "SAGEMAKER_MODEL_SERVER_TIMEOUT",
    120,
    0,
    86400,
    "Seconds without a sign of life after which a process counts as dead; fewer than 120 count as 120.",
)
DEFAULT_ACCEPT = text(
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT",
    "application/json",
    "what an Accept header may say",
    "The answer's form when a request has no Accept or takes anything.",
)
WORKER_DEATHS = whole_number(
    "SERVE_MAX_WORKER_DEATHS",
    5,
    0,
    1000,
    "Processes that may die within a minute, each replaced by a new one; one more ends the server with exit code 1.",
)
TRUST_MODEL = truth("SERVE_TRUST_MODEL", False, "Accept a SavedModel with operations that reach files or Python.")
ENGINE = word(
    "SERVE_ENGINE",
    ("auto", "openvino", "tensorflow"),
    "What runs the network; auto: OpenVINO when the model folder has its network and TensorFlow has no GPU, else "
    "TensorFlow.",
)
PRECISION = word(
    "SERVE_PRECISION",
    ("f32", "bf16"),
    "What OpenVINO computes in; bf16 on CPUs with AVX-512 BF16 or AMX only: on our photographs it moved a probability "
    "by up to 0.09.",
)
PROGRAM = text(
    "SAGEMAKER_PROGRAM",
    "",
    "a file's name",
    "Where other containers find the program to run. This image runs none; one line of the log says so.",
)
LOG_LEVEL = log_level(
    "SAGEMAKER_CONTAINER_LOG_LEVEL", logging.INFO, "Which lines are printed: those of this level and above."
)
ACCESS_LOG = word(
    "SERVE_ACCESS_LOG",
    ("all", "errors", "off"),
    "Which requests get a line in the log, at level INFO: all, those that were not answered with 2xx, or none. /ping "
    "and /metrics get theirs at level DEBUG.",
)
MULTI_MODEL = truth(
    "SAGEMAKER_MULTI_MODEL",
    False,
    "Hold many models in one process and load them as the platform asks, with OpenVINO alone; set by it.",
)
MODEL_ROOTS = text(
    "SERVE_MODEL_ROOTS",
    "",
    "absolute paths, separated by colons",
    "With many models: the folders below which models may lie. Without them any folder will do that is neither one of "
    "the system's nor at the root of the disk.",
)
PAGE = truth(
    "SERVE_PAGE", False, "Answer GET / with a page for people: drop images, see the answers. Not for many models."
)
ALLOWED_HOSTS = text(
    "SERVE_ALLOWED_HOSTS",
    "",
    "names and addresses with commas between them, or * for all",
    "Hosts under which a server with the page may be asked, beside localhost, 127.0.0.1, ::1 and SERVE_HOST; a browser "
    "under another one gets 403.",
)
BATCH = truth("SAGEMAKER_BATCH", False, "Whether batch transform is what sends the requests; set by it.")
BATCH_STRATEGY = word(
    "SAGEMAKER_BATCH_STRATEGY",
    ("MULTI_RECORD", "SINGLE_RECORD"),
    "What GET /execution-parameters answers; set by batch transform when the caller chose.",
)
MAX_CONCURRENT_TRANSFORMS = whole_number(
    "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS",
    4,
    1,
    1000,
    "What GET /execution-parameters answers; set by batch transform when the caller chose.",
    computed="2 a CPU, 4 to 16, and so few that 100 MB are on their way together",
)
# 0 is batch transform's word for "chunked, of any length".
MAX_PAYLOAD = whole_number(
    "SAGEMAKER_MAX_PAYLOAD_IN_MB",
    25,
    0,
    1024,
    "The largest body in MB, 0 for no limit but our own; set by batch transform when the caller chose.",
    computed="what GET /execution-parameters answers: 100 divided by the concurrent requests",
)

VARIABLES: tuple[Variable[object], ...] = tuple(
    found for found in list(globals().values()) if isinstance(found, Variable)
)
"""All of them, in the order in which they stand above."""
