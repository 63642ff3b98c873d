"""Which hosts and devices train together, and what they tell each other outside the training step."""

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
from image_classifier.training.distributed import lost_hosts, rendezvous
from image_classifier.training.distributed.rendezvous import ClusterSpec
from image_classifier.training.progress import log

CHUNK_BYTES = 16 * 2**20
"""How much of each host's rows one exchange carries."""


@dataclass(frozen=True)
class Cluster:
    """The hosts of this job, and the devices of this one."""

    strategy: Any
    """A `tf.distribute.Strategy`."""
    rank: int = 0
    count: int = 1
    names: tuple[str, ...] = ("algo-1",)
    """In the order of the ranks."""
    _compiled: MutableMapping[Any, Any] = field(default_factory=weakref.WeakKeyDictionary, repr=False, compare=False)

    @property
    def is_chief(self) -> bool:
        """Whether this host writes what the job leaves."""
        return self.rank == 0

    @property
    def replicas(self) -> int:
        """Devices of all hosts."""
        return int(self.strategy.num_replicas_in_sync)

    @property
    def local_replicas(self) -> int:
        """Devices of this host; every host has as many."""
        return self.replicas // self.count

    def share(self, count: int) -> slice:
        """Return this host's contiguous part of `count` rows; the parts are equal up to one row."""
        return slice(count * self.rank // self.count, count * (self.rank + 1) // self.count)

    def gather(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return the rows of all hosts, in the order of their ranks; any number of rows each, of any plain dtype.

        Every host must call it. Besides the result, memory for `CHUNK_BYTES` of each host is needed.

        Raises:
            AlgorithmError: The hosts' rows are of different kinds.
            tf.errors.OpError: A host is gone; see `lost_hosts.explain`.
        """
        if self.count == 1:
            return rows
        kinds = self.gather_json({"dtype": rows.dtype.str, "row": list(rows.shape[1:])})
        if any(kind != kinds[0] for kind in kinds):
            raise AlgorithmError(f"The hosts' rows differ in kind: {kinds}. Every host must give the same kind.")
        content, _ = self._exchange(np.ascontiguousarray(rows).reshape(-1).view(np.uint8))
        return content.view(rows.dtype).reshape(-1, *rows.shape[1:])

    def gather_json(self, value: Any) -> list[Any]:
        """Return the JSON value of each host, in the order of their ranks; every host must call it."""
        return self._gather_json(value)

    def _gather_json(self, value: Any, seconds: float | None = None) -> list[Any]:
        text = json.dumps(value).encode()
        if self.count == 1:
            return [json.loads(text)]
        content, sizes = self._exchange(np.frombuffer(text, np.uint8), seconds)
        ends = np.cumsum(sizes)
        return [json.loads(content[end - size : end].tobytes()) for size, end in zip(sizes, ends, strict=True)]

    def any_host(self, told: bool) -> bool:
        """Say whether any host was told something, such as to stop, alike on every host; every host must call it."""
        return any(self.gather_json(told))

    def barrier(self, seconds: float) -> None:
        """Wait until every host has come to its end, so that none takes another for lost; every host must call it.

        Waits for a host that lives for `HUNG_HOST_SECONDS` more than `seconds`, which is how long the slowest may
        rightly take; one that is gone is noticed by its heartbeats after `LOST_HOST_SECONDS`.
        """
        self._gather_json(None, lost_hosts.hung_seconds() + seconds)

    def map_rows(self, function: Callable[[Any], Any], inputs: NDArray[Any]) -> NDArray[Any]:
        """Run a compiled function of rows on each local device's part of them; no other host takes part.

        With several devices the rows are filled up with zeros to equal parts, and the fillers' results are dropped.
        """
        if self.replicas == 1:
            return np.asarray(function(tf.constant(inputs)))
        # As a replica also with one device a host: what was loaded from a SavedModel under a strategy runs only so.
        replicas = self.local_replicas
        part = max(1, -(-len(inputs) // replicas))
        filled = np.zeros((part * replicas, *inputs.shape[1:]), inputs.dtype)
        filled[: len(inputs)] = inputs
        values = self._on_local_replicas(filled.reshape(replicas, part, *inputs.shape[1:]))
        if function not in self._compiled:
            self._compiled[function] = _replicated(self.strategy, weakref.ref(function))
        results = self.strategy.experimental_local_results(self._compiled[function](values))
        return np.concatenate([result.numpy() for result in results])[: len(inputs)]

    @contextmanager
    def collective_timeout(self, seconds: float | None = None) -> Iterator[None]:
        """End with an error what waits for other hosts longer than `seconds`, `HUNG_HOST_SECONDS` or half an hour.

        A host that is gone is noticed sooner and without this; one that runs but does not come would never be.
        """
        if self.count == 1:
            yield
            return
        limit = lost_hosts.hung_seconds() if seconds is None else seconds
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
        """Return the bytes of all hosts, one after the other, and how many each had."""
        counts = self._gather_words(np.full(self.local_replicas, content.size), seconds)
        sizes = [int(size) for size in counts[:, 0]]
        starts = np.cumsum([0, *sizes])
        result = np.empty(starts[-1], np.uint8)
        unit = 8 * self.local_replicas
        step = -(-min(CHUNK_BYTES, max(sizes)) // unit) * unit
        for position in range(0, max(sizes), max(step, 1)):
            block = np.zeros(step, np.uint8)
            mine = content[position : position + step]
            block[: mine.size] = mine
            gathered = self._gather_words(block.view(np.int64)).view(np.uint8)
            for start, size, part in zip(starts, sizes, gathered, strict=False):
                end = min(position + step, size)
                result[start + position : start + max(end, position)] = part[: max(end - position, 0)]
        return result, sizes

    def _gather_words(self, words: NDArray[np.int64], seconds: float | None = None) -> NDArray[np.int64]:
        """Return (hosts, n) from the n words, a multiple of the local devices, that each host has."""
        # As int64, since TensorFlow gathers neither bytes nor booleans, and a GPU keeps int32 in the host's memory.
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
    # strategy.run itself calls a compiled function with all replicas' rows at once, which its signature may reject.
    def on_replica(rows: Any) -> Any:
        return function()(rows)

    return tf.function(lambda rows: strategy.run(on_replica, (rows,)), reduce_retracing=True, autograph=False)


def _gathering(strategy: Any) -> Any:
    # strategy.gather alone would trace a new function at each call.
    return tf.function(lambda values: strategy.gather(values, axis=0), reduce_retracing=True, autograph=False)


def single_host() -> Cluster:
    """Return one host that computes on what TensorFlow chooses."""
    return Cluster(tf.distribute.get_strategy())


def start(resources: Resources, devices: Sequence[str] | None = None) -> Cluster:
    """Return the hosts of a job with the strategy they train under; call it before any operation of TensorFlow's.

    One host trains on all of its GPUs, else on its CPU, or on `devices`, such as ("CPU:0", "CPU:1").
    Several hosts meet first, then each trains on all of its GPUs, or on its CPU, and all keep the same weights.

    Raises:
        PlatformError: A host did not come, or `resourceconfig.json` contradicts itself.
    """
    if len(resources.hosts) > 1:
        return _join(rendezvous.cluster_spec(resources), resources.network_interface_name)
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    chosen = [device.name for device in found] if devices is None else list(devices)
    if len(chosen) < 2:
        return Cluster(tf.distribute.get_strategy(), names=resources.hosts)
    log(f"Hosts: 1 with {len(chosen)} devices ({', '.join(chosen)}), MirroredStrategy")
    return Cluster(tf.distribute.MirroredStrategy(chosen), names=resources.hosts)


def _join(hosts: ClusterSpec, interface: str) -> Cluster:
    chief, this, count = hosts.hosts[0], hosts.hosts[hosts.rank], len(hosts.hosts)
    log(f"Hosts: {count} ({', '.join(hosts.hosts)}), this is {this}, the chief is {chief}; waiting for all of them")
    seconds = rendezvous.join(hosts, rendezvous.wait_seconds())
    os.environ["TF_CONFIG"] = hosts.tf_config
    # In SageMaker's words, the interface over which the hosts reach each other; NCCL may choose another.
    if interface in (name for _, name in socket.if_nameindex()):
        os.environ.setdefault("NCCL_SOCKET_IFNAME", interface)
    gpus = bool(tf.config.list_physical_devices("GPU"))
    kinds = tf.distribute.experimental.CommunicationImplementation
    options = tf.distribute.experimental.CommunicationOptions(implementation=kinds.NCCL if gpus else kinds.RING)
    lost_hosts.configure_heartbeats(count)
    handler = signal.getsignal(signal.SIGTERM)
    strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    # The strategy's coordination service puts a handler of its own below Python's, which then never hears the signal.
    signal.signal(signal.SIGTERM, handler)
    found = Cluster(strategy, hosts.rank, count, hosts.hosts)
    log(
        f"Hosts: all {count} met after {seconds:.1f} s; {found.replicas} replicas, MultiWorkerMirroredStrategy over "
        f"{'NCCL' if gpus else 'gRPC rings'}"
    )
    return found
