"""LitServe with dynamic batching on TensorFlow: the Hub model behind one concrete function."""

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


def pixels_of(image: bytes) -> NDArray[np.float32]:
    """Decode an image, float32 (224, 224, 3) from 0 to 1."""
    pixels = np.asarray(
        Image.open(io.BytesIO(image)).convert("RGB").resize(SIZE, Image.Resampling.BILINEAR), np.float32
    )
    return pixels / np.float32(255)


class Classifier(litserve.LitAPI):  # type: ignore[misc]
    """An image in, its probabilities out."""

    def setup(self, device: str) -> None:
        """Load the model in a worker."""
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
        import tensorflow as tf

        self.constant = tf.constant
        self.model = tf.saved_model.load(f"{os.environ['MODEL_FOLDER']}/1")
        self.classify = tf.function(lambda pixels: tf.nn.softmax(self.model(pixels))).get_concrete_function(
            tf.TensorSpec((None, *SIZE, 3), tf.float32)
        )
        self.pool = ThreadPoolExecutor(os.cpu_count())

    def decode_request(self, request: Annotated[bytes, Body(media_type="image/jpeg")]) -> bytes:
        """Leave decoding to the whole batch."""
        return request

    def batch(self, inputs: list[bytes]) -> NDArray[np.float32]:
        """Decode a batch in threads."""
        return np.stack(list(self.pool.map(pixels_of, inputs)))

    def predict(self, x: NDArray[np.float32]) -> Any:
        """Run the network on a batch."""
        return self.classify(self.constant(x)).numpy()

    def encode_response(self, output: Any) -> dict[str, list[float]]:
        """Name the probabilities."""
        return {"probabilities": output.tolist()}


if __name__ == "__main__":
    api = Classifier(max_batch_size=BATCH, batch_timeout=BATCH_SECONDS, api_path="/invocations")
    server = litserve.LitServer(
        api, accelerator="cpu", workers_per_device=WORKERS, healthcheck_path="/ping", fast_queue=True
    )
    server.run(host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", generate_client_file=False)
