"""Captured requests, as SageMaker's data capture writes them."""

import base64
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HOUR = datetime(2026, 11, 30, 5, tzinfo=UTC)


def payload(body: bytes, content_type: str, mode: str, encoding: str = "BASE64") -> dict[str, str]:
    """Return one side of a captured request."""
    data = base64.b64encode(body).decode() if encoding == "BASE64" else body.decode()
    return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}


def line(
    request: bytes | None,
    response: bytes | None,
    content_type: str = "application/x-image",
    time: datetime = HOUR,
    encoding: str = "BASE64",
) -> str:
    """Return a line; None: that side is not captured. `encoding` is the response's."""
    found: dict[str, Any] = {}
    if request is not None:
        found["endpointInput"] = payload(request, content_type, "INPUT")
    if response is not None:
        found["endpointOutput"] = payload(response, "application/json", "OUTPUT", encoding)
    metadata = {"eventId": "4651a1bf-4b00-4248-a309-4a18b11e4277", "inferenceTime": time.isoformat(timespec="seconds")}
    metadata["inferenceTime"] = metadata["inferenceTime"].replace("+00:00", "Z")
    return json.dumps({"captureData": found, "eventMetadata": metadata, "eventVersion": "0"})


def write(folder: Path, lines: Iterable[str], hour: datetime = HOUR, name: str = "15-30-281.jsonl") -> Path:
    """Write lines where an endpoint named `shop` writes those of an hour; return the folder."""
    target = folder / "shop" / "AllTraffic" / hour.strftime("%Y/%m/%d/%H")
    target.mkdir(parents=True, exist_ok=True)
    (target / name).write_text("".join(f"{one}\n" for one in lines), encoding="utf-8")
    return folder
