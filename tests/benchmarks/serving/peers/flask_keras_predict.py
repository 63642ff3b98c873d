"""The usual sample: Flask, a Keras model around a Hub layer, and `predict` in every request."""

import io
import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow_hub as hub
import tf_keras
from flask import Flask, Response, jsonify, request
from PIL import Image

SIZE = (224, 224)
app = Flask(__name__)
model = tf_keras.Sequential(
    [
        tf_keras.layers.InputLayer((*SIZE, 3)),
        hub.KerasLayer(f"{os.environ['MODEL_FOLDER']}/1"),
        tf_keras.layers.Softmax(),
    ]
)


@app.get("/ping")
def ping() -> Response:
    """Say that it is there."""
    return Response(status=200)


@app.post("/invocations")
def invocations() -> Response:
    """Classify the image in the body."""
    image = Image.open(io.BytesIO(request.data)).convert("RGB").resize(SIZE, Image.Resampling.BILINEAR)
    pixels = np.asarray(image, np.float32) / 255
    return jsonify(probabilities=model.predict(pixels[None], verbose=0)[0].tolist())
