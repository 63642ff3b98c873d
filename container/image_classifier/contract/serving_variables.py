"""The environment variables of serving, declared once: parser, error messages and reference come from here."""

import logging

from image_classifier.contract.variable import Variable, log_level, text, truth, whole_number, word

PORT = whole_number("SAGEMAKER_BIND_TO_PORT", 8080, 1, 65535, "The port to listen on.")
HOST = text("SERVE_HOST", "0.0.0.0", "an address of this machine", "The address to listen on.")
WORKERS = whole_number(
    "SAGEMAKER_MODEL_SERVER_WORKERS",
    1,
    1,
    256,
    "Worker processes, each with its own copy of the model and all threads.",
)
IN_FLIGHT = whole_number(
    "SERVE_MAX_IN_FLIGHT",
    64,
    1,
    1000,
    "In-flight requests per worker, executing or queued; further ones get 503 with Retry-After immediately.",
    computed="32 per CPU, 64 to 1000",
)
HEADER_SECONDS = whole_number(
    "SERVE_HEADER_SECONDS", 10, 1, 3600, "Timeout in seconds for a request's header, also on a new connection."
)
BODY_SECONDS = whole_number(
    "SERVE_BODY_SECONDS",
    60,
    1,
    3600,
    "Timeout in seconds for a request's body to arrive, and for its response to be read.",
)
MAX_BODY = whole_number(
    "SERVE_MAX_BODY_MB",
    25,
    1,
    1024,
    "The largest body, in MB of 1,048,576 bytes.",
    computed="SAGEMAKER_MAX_PAYLOAD_IN_MB if set, else 100 in batch transform, else 25",
)
BODY_MEMORY = whole_number(
    "SERVE_BODY_MEMORY_MB",
    100,
    1,
    16384,
    "Memory for all request bodies of a worker, in MB, each beyond its first 64 KB; at least the size of the largest "
    "body. Bodies beyond it get 503 with Retry-After.",
    computed="4 times SERVE_MAX_BODY_MB",
)
MAX_PIXELS = whole_number(
    "SERVE_MAX_PIXELS",
    250_000_000,
    1_000_000,
    1_000_000_000,
    "Width times height of an image, from its header. A large JPEG is decoded at reduced size; other formats, and a "
    "JPEG after the reduction, may have 89,478,485 at most.",
)
MAX_REQUEST_PIXELS = whole_number(
    "SERVE_MAX_REQUEST_PIXELS",
    1_048_576_000,
    1_000_000,
    999_999_999_999,
    "Pixels of all images of a request, from their headers: a list with more is rejected before any image is decoded; "
    "in a body of lines, the lines beyond it are.",
    computed="40 per byte of SERVE_MAX_BODY_MB",
)
IMAGE_MEMORY = whole_number(
    "SERVE_MAX_IMAGE_MEMORY_MB",
    512,
    16,
    16384,
    "Memory for decoding one image, in MB: 4 to 16 bytes per pixel depending on its format, after a JPEG's reduction, "
    "and 3 to 8 more for a progressive JPEG.",
)
DECODE_MEMORY = whole_number(
    "SERVE_DECODE_MEMORY_MB",
    512,
    16,
    1_048_576,
    "Memory for all images that a worker decodes at a time, in MB. An image that does not fit yet waits; one that "
    "never fits gets 413.",
    computed="half of the memory that is free when the first image is decoded, divided by the workers",
)
WORK_SECONDS = whole_number(
    "SERVE_WORK_SECONDS",
    60,
    1,
    86400,
    "Deadline in seconds for classifying the images of a request, ten times as long for a body of lines. Past it the "
    "request gets 503, or the remaining lines get an error each.",
)
ANSWER_FILES = whole_number(
    "SERVE_ANSWER_FILES_MB",
    1024,
    8,
    1048576,
    "Space per worker in the temporary folder (TMPDIR) for responses in lines of more than 8 MB each, in MB. Responses "
    "beyond it get 503.",
)
TIMEOUT = whole_number(
    "SAGEMAKER_MODEL_SERVER_TIMEOUT",
    120,
    0,
    86400,
    "Worker heartbeat timeout in seconds; values below 120 count as 120.",
)
DEFAULT_ACCEPT = text(
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT",
    "application/json",
    "a value of the Accept header",
    "Response format of requests without an Accept header or with */*.",
)
WORKER_CRASHES = whole_number(
    "SERVE_MAX_WORKER_CRASHES",
    5,
    0,
    1000,
    "Unexpected worker exits tolerated per minute, each followed by a restart; one more stops the server, exit code 1.",
)
TRUST_MODEL = truth("SERVE_TRUST_MODEL", False, "Accept a SavedModel with operations that access files or call Python.")
ENGINE = word(
    "SERVE_ENGINE",
    ("auto", "openvino", "tensorflow"),
    "Inference engine; auto: OpenVINO if the model folder has an OpenVINO network and TensorFlow has no GPU, else "
    "TensorFlow.",
)
PRECISION = word(
    "SERVE_PRECISION",
    ("f32", "bf16", "int8", "auto"),
    "Precision in which OpenVINO computes. auto: int8 if the model has an int8 network that passed its gate and the "
    "CPU has VNNI or AMX, else bf16 if it passed its gate and the CPU has AMX, or AVX-512 BF16 of AMD, else f32. int8 "
    "without such a network and bf16 on a CPU without bfloat16 are rejected; bf16 without a passed gate, or where it "
    "is slower, is served with a warning.",
)
PROGRAM = text(
    "SAGEMAKER_PROGRAM",
    "",
    "a file name",
    "Entry point in other containers. This image ignores it, with a note in the log.",
)
LOG_LEVEL = log_level("SAGEMAKER_CONTAINER_LOG_LEVEL", logging.INFO, "Lowest level of the lines that are logged.")
ACCESS_LOG = word(
    "SERVE_ACCESS_LOG",
    ("all", "errors", "off"),
    "Requests in the access log, at level INFO: all, those with a status other than 2xx, or none. /ping and /metrics "
    "are logged at level DEBUG.",
)
MULTI_MODEL = truth(
    "SAGEMAKER_MULTI_MODEL",
    False,
    "Multi-model endpoint: one process holds many models and loads them on request, with OpenVINO only; set by the "
    "platform.",
)
MODEL_ROOTS = text(
    "SERVE_MODEL_ROOTS",
    "",
    "absolute paths, separated by colons",
    "Multi-model: the folders below which models may be located. If unset, any folder that is neither a system folder "
    "nor at the root of the disk.",
)
PAGE = truth("SERVE_PAGE", False, "Web UI at GET /: drop images, see the predictions. Not for multi-model endpoints.")
EXPLAIN = truth(
    "SERVE_EXPLAIN",
    False,
    "Answer the Accept parameter explain: which parts of an image a prediction rests on. Takes about ninety "
    "forward passes; one such request at a time is computed, in steps between other requests.",
)
SAMPLES = text(
    "SERVE_SAMPLES",
    "",
    "an absolute path",
    "Folder of images that the web UI offers to click, such as held-out ones; at most twelve, evenly spaced.",
)
ALLOWED_HOSTS = text(
    "SERVE_ALLOWED_HOSTS",
    "",
    "host names and addresses separated by commas, or * for all",
    "Allowed values of the Host header while the web UI is on, besides localhost, 127.0.0.1, ::1 and SERVE_HOST; other "
    "requests get 403.",
)
BATCH = truth("SAGEMAKER_BATCH", False, "Whether requests come from batch transform; set by it.")
BATCH_STRATEGY = word(
    "SAGEMAKER_BATCH_STRATEGY",
    ("MULTI_RECORD", "SINGLE_RECORD"),
    "Returned by GET /execution-parameters; set by batch transform if its caller chose a value.",
)
MAX_CONCURRENT_TRANSFORMS = whole_number(
    "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS",
    4,
    1,
    1000,
    "Returned by GET /execution-parameters; set by batch transform if its caller chose a value.",
    computed="2 per CPU, 4 to 16, and no more than keep 100 MB in flight",
)
# In batch transform 0 means "chunked, of any length".
MAX_PAYLOAD = whole_number(
    "SAGEMAKER_MAX_PAYLOAD_IN_MB",
    25,
    0,
    1024,
    "The largest body in MB, 0 for no limit but our own; set by batch transform if its caller chose a value.",
    computed="100 divided by the concurrent requests",
)

VARIABLES: tuple[Variable[object], ...] = tuple(
    found for found in list(globals().values()) if isinstance(found, Variable)
)
"""All of them, in the order of declaration."""
