"""The hosts and devices that train together, and the collective operations outside the training step."""

import json
import os
import signal
import socket
import threading
import weakref
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from image_classifier.contract.errors import AlgorithmError
from image_classifier.contract.opt_ml import Resources
from image_classifier.contract.training_variables import HOSTS_WAIT, HUNG_HOST
from image_classifier.training.distributed import cluster_spec, lost_hosts, rendezvous
from image_classifier.training.distributed.cluster_spec import ClusterSpec
from image_classifier.training.progress import log

CHUNK_BYTES = 16 * 2**20
"""Bytes of each host in one collective operation."""


@dataclass(frozen=True)
class Cluster:
    """The hosts of this job, and the devices of this one."""

    strategy: Any
    """A `tf.distribute.Strategy`."""
    rank: int = 0
    count: int = 1
    names: tuple[str, ...] = ("algo-1",)
    """In rank order."""
    _compiled: MutableMapping[Any, Any] = field(default_factory=weakref.WeakKeyDictionary, repr=False, compare=False)

    @property
    def is_chief(self) -> bool:
        """Whether this host writes the artefacts."""
        return self.rank == 0

    @property
    def replicas(self) -> int:
        """Number of devices of all hosts."""
        return int(self.strategy.num_replicas_in_sync)

    @property
    def local_replicas(self) -> int:
        """Number of devices of this host; equal on all hosts."""
        return self.replicas // self.count

    def share(self, count: int) -> slice:
        """Return this host's contiguous share of `count` rows; shares differ by at most one row."""
        return slice(count * self.rank // self.count, count * (self.rank + 1) // self.count)

    def gather(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return the rows of all hosts in rank order; any number of rows each, of any plain dtype.

        Collective: every host must call it. Needs memory for the result and for `CHUNK_BYTES` of each host.

        Raises:
            AlgorithmError: The rows differ in dtype or shape between hosts.
            tf.errors.OpError: A host is lost; see `lost_hosts.explain`.
        """
        if self.count == 1:
            return rows
        kinds = self.gather_json({"dtype": rows.dtype.str, "row": list(rows.shape[1:])})
        if any(kind != kinds[0] for kind in kinds):
            raise AlgorithmError(
                f"The hosts' rows differ in dtype or shape: {kinds}. They must be the same on every host."
            )
        content, _ = self._exchange(np.ascontiguousarray(rows).reshape(-1).view(np.uint8))
        return content.view(rows.dtype).reshape(-1, *rows.shape[1:])

    def gather_json(self, value: Any) -> list[Any]:
        """Return the JSON value of each host in rank order. Collective: every host must call it."""
        return self._gather_json(value)

    def _gather_json(self, value: Any, seconds: float | None = None) -> list[Any]:
        text = json.dumps(value).encode()
        if self.count == 1:
            return [json.loads(text)]
        content, sizes = self._exchange(np.frombuffer(text, np.uint8), seconds)
        ends = np.cumsum(sizes)
        return [json.loads(content[end - size : end].tobytes()) for size, end in zip(sizes, ends, strict=True)]

    def any_host(self, flag: bool) -> bool:
        """Return whether `flag` is set on any host; equal on all. Collective: every host must call it."""
        return any(self.gather_json(flag))

    def barrier(self, seconds: float) -> None:
        """Wait until every host has called it, so that no host takes one that exited for lost.

        `seconds` is how long the slowest host may legitimately take. A host that is alive may take
        `HUNG_HOST_SECONDS` longer; a lost one is detected by its missing heartbeats after `LOST_HOST_SECONDS`.
        """
        self._gather_json(None, HUNG_HOST.read() + seconds)

    def map_rows(self, function: Callable[[Any], Any], inputs: NDArray[Any]) -> NDArray[Any]:
        """Run a compiled function on each local device's part of the rows; not collective.

        With several devices the rows are padded with zeros to equal parts, and the results of the padding are dropped.
        """
        if self.replicas == 1:
            return np.asarray(function(tf.constant(inputs)))
        # In replica context even with one device per host: a SavedModel loaded under a strategy runs only there.
        replicas = self.local_replicas
        part = max(1, -(-len(inputs) // replicas))
        padded = np.zeros((part * replicas, *inputs.shape[1:]), inputs.dtype)
        padded[: len(inputs)] = inputs
        values = self._on_local_replicas(padded.reshape(replicas, part, *inputs.shape[1:]))
        if function not in self._compiled:
            self._compiled[function] = _replicated(self.strategy, weakref.ref(function))
        results = self.strategy.experimental_local_results(self._compiled[function](values))
        return np.concatenate([result.numpy() for result in results])[: len(inputs)]

    @contextmanager
    def collective_timeout(self, seconds: float | None = None) -> Iterator[None]:
        """Abort collective operations in the block after `seconds`, by default `HUNG_HOST_SECONDS`.

        A lost host is detected sooner, by its heartbeats; a host that is alive but hangs would never be.
        """
        if self.count == 1:
            yield
            return
        limit = HUNG_HOST.read() if seconds is None else seconds
        timer = threading.Timer(limit, lost_hosts.abort_collectives, args=(limit,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _exchange(
        self, content: NDArray[np.uint8], seconds: float | None = None
    ) -> tuple[NDArray[np.uint8], list[int]]:
        """Return the concatenated bytes of all hosts, and the number of bytes of each."""
        counts = self._gather_words(np.full(self.local_replicas, content.size), seconds)
        sizes = [int(size) for size in counts[:, 0]]
        starts = np.cumsum([0, *sizes])
        result = np.empty(starts[-1], np.uint8)
        unit = 8 * self.local_replicas
        step = -(-min(CHUNK_BYTES, max(sizes)) // unit) * unit
        for position in range(0, max(sizes), max(step, 1)):
            block = np.zeros(step, np.uint8)
            chunk = content[position : position + step]
            block[: chunk.size] = chunk
            gathered = self._gather_words(block.view(np.int64)).view(np.uint8)
            for start, size, part in zip(starts, sizes, gathered, strict=False):
                end = min(position + step, size)
                result[start + position : start + max(end, position)] = part[: max(end - position, 0)]
        return result, sizes

    def _gather_words(self, words: NDArray[np.int64], seconds: float | None = None) -> NDArray[np.int64]:
        """Return (hosts, n) from the n words of each host, where n is a multiple of the local devices."""
        # int64, since TensorFlow gathers neither bytes nor booleans and keeps int32 tensors of a GPU in host memory.
        if _gathering not in self._compiled:
            self._compiled[_gathering] = _gathering(self.strategy)
        values = self._on_local_replicas(words.reshape(self.local_replicas, -1))
        with self.collective_timeout(seconds):
            return np.asarray(self._compiled[_gathering](values)).reshape(self.count, -1)

    def _on_local_replicas(self, parts: NDArray[Any]) -> Any:
        first = self.rank * self.local_replicas
        return self.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group - first])
        )


def _replicated(strategy: Any, function: Callable[[], Any]) -> Any:
    # strategy.run would call a compiled function with the rows of all replicas, which its signature may reject.
    def on_replica(rows: Any) -> Any:
        return function()(rows)

    return tf.function(lambda rows: strategy.run(on_replica, (rows,)), reduce_retracing=True, autograph=False)


def _gathering(strategy: Any) -> Any:
    # strategy.gather by itself traces a new function in each call.
    return tf.function(lambda values: strategy.gather(values, axis=0), reduce_retracing=True, autograph=False)


def single_host() -> Cluster:
    """Return a cluster of this host alone, on the device that TensorFlow chooses."""
    return Cluster(tf.distribute.get_strategy())


def start(resources: Resources, devices: Sequence[str] | None = None) -> Cluster:
    """Return the cluster of a job with its strategy; call it before the first TensorFlow operation.

    One host trains on all of its GPUs, else on its CPU, or on `devices`, such as ("CPU:0", "CPU:1").
    Several hosts join a rendezvous first. Each then trains on all of its GPUs, or on its CPU, with equal weights.

    Raises:
        PlatformError: A host did not join, or `resourceconfig.json` contradicts itself.
    """
    if len(resources.hosts) > 1:
        return _join(cluster_spec.from_resources(resources), resources.network_interface_name)
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    chosen = [device.name for device in found] if devices is None else list(devices)
    if len(chosen) < 2:
        return Cluster(tf.distribute.get_strategy(), names=resources.hosts)
    log(f"Hosts: 1 with {len(chosen)} devices ({', '.join(chosen)}), MirroredStrategy")
    return Cluster(tf.distribute.MirroredStrategy(chosen), names=resources.hosts)


def _join(spec: ClusterSpec, interface: str) -> Cluster:
    chief, count = spec.hosts[0], len(spec.hosts)
    log(
        f"Hosts: {count} ({', '.join(spec.hosts)}), this is {spec.this_host}, the chief is {chief}; waiting for all of "
        "them to join"
    )
    seconds = rendezvous.join(spec, HOSTS_WAIT.read())
    os.environ["TF_CONFIG"] = spec.tf_config
    # SageMaker names the interface over which the hosts reach each other; NCCL might choose another.
    if interface in (name for _, name in socket.if_nameindex()):
        os.environ.setdefault("NCCL_SOCKET_IFNAME", interface)
    gpus = bool(tf.config.list_physical_devices("GPU"))
    kinds = tf.distribute.experimental.CommunicationImplementation
    options = tf.distribute.experimental.CommunicationOptions(implementation=kinds.NCCL if gpus else kinds.RING)
    lost_hosts.configure_heartbeats(count)
    handler = signal.getsignal(signal.SIGTERM)
    strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    # The strategy's coordination service installs a C handler, and Python's handler is never called again.
    signal.signal(signal.SIGTERM, handler)
    cluster = Cluster(strategy, spec.rank, count, spec.hosts)
    log(
        f"Hosts: all {count} joined after {seconds:.1f} s; {cluster.replicas} replicas, MultiWorkerMirroredStrategy "
        f"over {'NCCL' if gpus else 'gRPC rings'}"
    )
    return cluster
