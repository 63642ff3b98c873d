"""The routes of a multi-model server: start reading here, then store.py and capacity.py.

The API is SageMaker's for multi-model endpoints; see its developer guide, "Custom containers contract for multi-model
endpoints".
"""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response, request

from image_classifier.contract.errors import ExplainedError, UserError, first_line
from image_classifier.resources import memory
from image_classifier.serving import errors
from image_classifier.serving.connections.admission import Admission
from image_classifier.serving.formats import body
from image_classifier.serving.invocations import Invocations
from image_classifier.serving.monitoring import instrumentation, measurement
from image_classifier.serving.monitoring.metrics import Metrics
from image_classifier.serving.multi_model import capacity, load_request
from image_classifier.serving.multi_model.capacity import NoRoomError
from image_classifier.serving.multi_model.store import (
    AlreadyLoadedError,
    InUseError,
    ModelEntry,
    ModelStore,
    NotLoadedError,
)
from image_classifier.serving.rejection import RejectedError
from image_classifier.serving.settings import ServingSettings

PAGE = 100
"""Models per page of `GET /models`."""
_ROUTES = (
    "This server answers GET /ping, GET and POST /models, GET and DELETE /models/<name>, POST /models/<name>/invoke "
    "and GET /metrics."
)
log = logging.getLogger("image_classifier.serving")


def application(settings: ServingSettings) -> Flask:
    """Return the application of a multi-model server."""
    memory.return_large_blocks()
    log.info("Ready on port %d. Models are loaded on request.", settings.port)
    precision = settings.engine.precision
    store = ModelStore(lambda folder: capacity.load(folder, precision, loaded=store.folders))
    return create_app(store, settings)


def create_app(store: ModelStore, settings: ServingSettings) -> Flask:
    """Build the WSGI application of a server that starts without models."""
    app = Flask("image_classifier", static_folder=None)
    app.response_class = errors.TypedResponse
    admission, metrics, ready_at = Admission(settings.in_flight), Metrics(), time.time()
    api = _ModelsApi(store, Invocations(settings, admission), admission, settings.model_roots)
    app.add_url_rule("/ping", view_func=_ping)
    app.add_url_rule("/models", view_func=api.list_models, methods=["GET"])
    app.add_url_rule("/models", view_func=api.load, methods=["POST"])
    app.add_url_rule("/models/<name>", view_func=api.describe, methods=["GET"])
    app.add_url_rule("/models/<name>", view_func=api.unload, methods=["DELETE"])
    app.add_url_rule("/models/<name>/invoke", view_func=api.invoke, methods=["POST"])
    instrumentation.instrument(
        app, metrics, settings, admission, lambda: metrics.set_models(store.predictors(), ready_at)
    )
    errors.register_error_handlers(app, _ROUTES)
    return app


def _ping() -> Response:
    return errors.TypedResponse(status=200)


class _ModelsApi:
    def __init__(self, store: ModelStore, invocations: Invocations, admission: Admission, roots: tuple[Path, ...]):
        self._store, self._invocations, self._admission, self._roots = store, invocations, admission, roots

    def list_models(self) -> Response:
        page = self._store.page(request.args.get("next_page_token", ""), PAGE)
        more = {} if page.more_after is None else {"nextPageToken": page.more_after}
        return _json({"models": [_json_fields(entry) for entry in page.models], **more})

    def load(self) -> Response:
        # Takes a slot, so that queued loads do not use up the threads.
        with self._admission.slot():
            requested = load_request.parse(body.read(load_request.MAX_BODY_BYTES), self._roots)
            return _json(_json_fields(_load(self._store, requested.name, requested.folder)))

    def describe(self, name: str) -> Response:
        return _json(_json_fields(_existing(name, self._store.describe)))

    def unload(self, name: str) -> Response:
        try:
            entry = _existing(name, self._store.unload)
        except InUseError as error:
            raise RejectedError(503, "model_in_use", str(error), {"Retry-After": "1"}) from error
        log.info("Unloaded %s.", name)
        return _json(_json_fields(entry))

    def invoke(self, name: str) -> Response:
        measurement.current().model = name
        try:
            return self._store.use(name, self._invocations.handle)
        except NotLoadedError as error:
            raise _unknown(name) from error


def _load(store: ModelStore, name: str, folder: Path) -> ModelEntry:
    try:
        entry = store.load(name, folder)
    except AlreadyLoadedError as error:
        message = f"A model named {name} is already loaded. Unload it first, or choose another name."
        raise RejectedError(409, "already_loaded", message) from error
    except NoRoomError as error:
        raise RejectedError(507, "no_room", str(error)) from error
    except ExplainedError as error:
        raise RejectedError(400 if isinstance(error, UserError) else 500, "cannot_be_loaded", str(error)) from error
    except Exception as error:  # whatever a corrupt model triggers in OpenVINO, the others are still served
        log.error("%s could not be loaded.", folder, exc_info=error)
        message = f"The model in {folder} could not be loaded: {type(error).__name__}: {first_line(error)}."
        raise RejectedError(500, "cannot_be_loaded", message) from error
    log.info("Loaded %s from %s.", name, folder)
    return entry


def _existing(name: str, lookup: Callable[[str], ModelEntry]) -> ModelEntry:
    try:
        return lookup(name)
    except NotLoadedError as error:
        raise _unknown(name) from error


def _unknown(name: str) -> RejectedError:
    message = f"No model named {ascii(name)[:200]} is loaded. Load it with POST /models."
    return RejectedError(404, "unknown_model", message)


def _json_fields(entry: ModelEntry) -> dict[str, str]:
    return {"modelName": entry.name, "modelUrl": str(entry.folder)}


def _json(content: object) -> Response:
    return Response(json.dumps(content), mimetype="application/json")
