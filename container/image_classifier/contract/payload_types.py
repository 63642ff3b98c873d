"""Media types of requests and responses, declared once for channels, the server and the model registry."""

JSON, JSON_LINES = "application/json", "application/jsonlines"
IMAGE_TYPES = ("application/x-image", "image/jpeg", "image/png", "image/webp", "image/bmp", "image/gif")
"""Of the bytes of one image."""
REQUEST_TYPES = (*IMAGE_TYPES, "application/octet-stream", JSON, JSON_LINES)
"""Content types that `/invocations` decodes."""
RESPONSE_TYPES = (JSON, f"{JSON};verbose", JSON_LINES)
"""Values of Accept that `/invocations` answers, without their further parameters."""
