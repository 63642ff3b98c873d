"""Flask, and OpenVINO as its introduction has it: read, compile, a new request for every image."""

import io
import os

import numpy as np
import openvino
from flask import Flask, Response, jsonify, request
from PIL import Image

SIZE = (224, 224)
app = Flask(__name__)
settings = {"INFERENCE_PRECISION_HINT": "f32"}
if "PERFORMANCE_HINT" in os.environ:
    settings["PERFORMANCE_HINT"] = os.environ["PERFORMANCE_HINT"]
compiled = openvino.Core().compile_model(f"{os.environ['MODEL_FOLDER']}/openvino/model.xml", "CPU", settings)
PROBABILITIES = next((output for output in compiled.outputs if "probabilities" in output.names), compiled.output(0))


@app.get("/ping")
def ping() -> Response:
    """Say that it is there."""
    return Response(status=200)


@app.post("/invocations")
def invocations() -> Response:
    """Classify the image in the body."""
    image = Image.open(io.BytesIO(request.data)).convert("RGB").resize(SIZE, Image.Resampling.BILINEAR)
    answers = compiled.infer_new_request({0: np.asarray(image)[None]})
    return jsonify(probabilities=answers[PROBABILITIES][0].tolist())
