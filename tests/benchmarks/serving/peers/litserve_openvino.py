"""LitServe with dynamic batching on OpenVINO with its latency hint."""

import io
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import litserve  # type: ignore[import-not-found]
import numpy as np
from fastapi import Body  # type: ignore[import-not-found]
from numpy.typing import NDArray
from PIL import Image

SIZE = (224, 224)
BATCH, BATCH_SECONDS = 8, 0.01
WORKERS = int(os.environ.get("LITSERVE_WORKERS", "1"))


def pixels_of(image: bytes) -> NDArray[np.uint8]:
    """Decode an image, uint8 (224, 224, 3)."""
    return np.asarray(Image.open(io.BytesIO(image)).convert("RGB").resize(SIZE, Image.Resampling.BILINEAR))


class Classifier(litserve.LitAPI):  # type: ignore[misc]
    """An image in, its probabilities out."""

    def setup(self, device: str) -> None:
        """Load the model in a worker."""
        import openvino

        self.compiled = openvino.Core().compile_model(
            f"{os.environ['MODEL_FOLDER']}/openvino/model.xml",
            "CPU",
            {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"},
        )
        named = [output for output in self.compiled.outputs if "probabilities" in output.names]
        self.probabilities = named[0] if named else self.compiled.output(0)
        self.pool = ThreadPoolExecutor(os.cpu_count())

    def decode_request(self, request: Annotated[bytes, Body(media_type="image/jpeg")]) -> bytes:
        """Leave decoding to the whole batch."""
        return request

    def batch(self, inputs: list[bytes]) -> NDArray[np.uint8]:
        """Decode a batch in threads."""
        return np.stack(list(self.pool.map(pixels_of, inputs)))

    def predict(self, x: NDArray[np.uint8]) -> Any:
        """Run the network on a batch."""
        return self.compiled({0: x})[self.probabilities]

    def encode_response(self, output: Any) -> dict[str, list[float]]:
        """Name the probabilities."""
        return {"probabilities": output.tolist()}


if __name__ == "__main__":
    api = Classifier(max_batch_size=BATCH, batch_timeout=BATCH_SECONDS, api_path="/invocations")
    server = litserve.LitServer(
        api, accelerator="cpu", workers_per_device=WORKERS, healthcheck_path="/ping", fast_queue=True
    )
    server.run(host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", generate_client_file=False)
