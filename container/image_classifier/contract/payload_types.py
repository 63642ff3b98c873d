"""Media types of requests and responses, declared once for channels, the server and the model registry."""

JSON, JSON_LINES = "application/json", "application/jsonlines"
ANY_IMAGE = "application/x-image"
"""Of the bytes of one image in any of the formats."""
IMAGE_TYPES = (ANY_IMAGE, "image/jpeg", "image/png", "image/webp", "image/bmp", "image/gif")
"""Of the bytes of one image."""
REQUEST_TYPES = (*IMAGE_TYPES, "application/octet-stream", JSON, JSON_LINES)
"""Content types that `/invocations` decodes."""
EVERY_CLASS = f"{JSON};verbose"
"""Of a response with the probabilities of all classes by name."""
RESPONSE_TYPES = (JSON, EVERY_CLASS, JSON_LINES)
"""Values of Accept that `/invocations` answers, without their further parameters."""
