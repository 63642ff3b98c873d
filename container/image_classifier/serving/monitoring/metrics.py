"""Metrics of all workers of this server in Prometheus' text format, for GET /metrics; see decision 18."""

import os
import time
from collections.abc import Mapping
from typing import Literal, Protocol

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, multiprocess

from image_classifier import __version__
from image_classifier.inference.predictor import Predictor
from image_classifier.serving import worker_state
from image_classifier.serving.monitoring.measurement import DECODE, ENGINE, QUEUE, RequestMeasurement

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_PLAIN_0_0_4
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_Aggregation = Literal["livesum", "livemin", "livemax"]
"""How the values of several workers are combined."""
_LONGEST_LABEL = 200
"""Characters of a label that comes from the model, so that the series of a worker fit into its files."""
_IMAGES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Load(Protocol):
    """Load of a worker."""

    @property
    def held(self) -> int:
        """Requests that hold a slot."""
        ...

    @property
    def waiting(self) -> int:
        """Requests with a slot that wait for a permit."""
        ...


class Metrics:
    """The metrics of this worker; `text` includes those of the other workers."""

    def __init__(self) -> None:
        # By default each counter is followed by its creation time.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._requests = self._counter("requests", "Requests by route and HTTP status.", "route", "status")
        self._errors = self._counter("errors", "Rejected or failed requests by error code.", "error")
        self._total = self._histogram("request_seconds", "Seconds in the application, of requests with status 200.")
        self._stages = {
            QUEUE: self._histogram("queue_seconds", "Seconds that requests with images waited for a permit."),
            DECODE: self._histogram("decode_seconds", "Seconds of decoding all images of a request."),
            ENGINE: self._histogram("engine_seconds", "Seconds of inference for all images of a request."),
        }
        self._images = self._histogram("request_images", "Images per request.", _IMAGES)
        self._waiting = self._gauge("requests_waiting", "Requests that wait for a permit.", "livesum")
        self._working = self._gauge("requests_in_progress", "Requests being decoded or classified.", "livesum")
        labels = ("model", "engine", "precision", "classes", "image_size", "backbone", "version")
        self._models = self._gauge("model_info", "1 for each loaded model.", "livemax", *labels)
        self._described: set[tuple[str, ...]] = set()
        self._ready = self._gauge("ready_time_seconds", "Unix time at which the model was loaded and warm.", "livemax")
        self._gauge("start_time_seconds", "Unix time at which the worker started.", "livemin").set(time.time())

    def count(self, route: str, status: int, measured: RequestMeasurement, load: Load) -> None:
        """Record a finished request, and the current load."""
        self._requests.labels(route, str(status)).inc()
        if measured.error:
            self._errors.labels(measured.error).inc()
        for stage, histogram in self._stages.items():
            if stage in measured.seconds:
                histogram.observe(measured.seconds[stage])
        if measured.images:
            self._images.observe(measured.images)
            if status == 200:
                self._total.observe(measured.total_seconds)
        self._set_load(load)

    def set_models(self, models: Mapping[str, Predictor], ready_at: float | None = None) -> None:
        """Set the loaded models by name, and when they became ready (Unix time)."""
        if ready_at is not None:
            self._ready.set(ready_at)
        described = {_labels(name, predictor) for name, predictor in models.items()}
        for gone in self._described - described:
            self._models.remove(*gone)
        for labels in described:
            self._models.labels(*labels).set(1)
        self._described = described

    def text(self, load: Load) -> bytes:
        """Return the current metrics."""
        self._set_load(load)
        registry = self._registry
        if worker_state.VARIABLE in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return prometheus_client.generate_latest(registry)

    def _set_load(self, load: Load) -> None:
        waiting = load.waiting
        self._waiting.set(waiting)
        self._working.set(load.held - waiting)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"image_classifier_{name}", meaning, labels, registry=self._registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...] = _SECONDS) -> Histogram:
        return Histogram(f"image_classifier_{name}", meaning, buckets=buckets, registry=self._registry)

    def _gauge(self, name: str, meaning: str, aggregation: _Aggregation, *labels: str) -> Gauge:
        return Gauge(
            f"image_classifier_{name}", meaning, labels, registry=self._registry, multiprocess_mode=aggregation
        )


def _labels(name: str, predictor: Predictor) -> tuple[str, ...]:
    info, engine = predictor.info, predictor.engine
    size = "x".join(map(str, info.image_size))
    backbone = (info.model_id or info.source or "")[:_LONGEST_LABEL]
    return name, engine.name, engine.precision, str(len(predictor.labels)), size, backbone, __version__
