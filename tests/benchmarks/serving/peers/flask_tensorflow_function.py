"""The better sample: Flask, and the Hub model behind one concrete function, which is traced once."""

import io
import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tensorflow as tf
from flask import Flask, Response, jsonify, request
from PIL import Image

SIZE = (224, 224)
app = Flask(__name__)
model = tf.saved_model.load(f"{os.environ['MODEL_FOLDER']}/1")
classify = tf.function(lambda pixels: tf.nn.softmax(model(pixels))).get_concrete_function(
    tf.TensorSpec((None, *SIZE, 3), tf.float32)
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
    return jsonify(probabilities=classify(tf.constant(pixels[None])).numpy()[0].tolist())
