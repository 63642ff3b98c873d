"""The hosts of a job as `resourceconfig.json` describes them: ranks, addresses and TensorFlow's TF_CONFIG."""

import json
from dataclasses import dataclass

from image_classifier.contract.errors import PlatformError
from image_classifier.contract.opt_ml import Resources

PORT = 7777
"""Port of each host, for the rendezvous and then for TensorFlow; SageMaker opens all ports among a job's hosts."""


@dataclass(frozen=True)
class ClusterSpec:
    """The hosts in rank order, sorted by name, and the rank of this host; rank 0 is the chief."""

    hosts: tuple[str, ...]
    rank: int

    @property
    def this_host(self) -> str:
        """Name of this host."""
        return self.hosts[self.rank]

    @property
    def other_hosts(self) -> list[str]:
        """Names of all other hosts."""
        return [host for rank, host in enumerate(self.hosts) if rank != self.rank]

    @property
    def addresses(self) -> tuple[str, ...]:
        """`name:port` of each host; a name that has a port, as several hosts on one machine do, keeps it."""
        return tuple(host if ":" in host else f"{host}:{PORT}" for host in self.hosts)

    @property
    def tf_config(self) -> str:
        """Value of the variable TF_CONFIG, from which TensorFlow reads the cluster, as JSON."""
        task = {"type": "worker", "index": self.rank}
        return json.dumps({"cluster": {"worker": list(self.addresses)}, "task": task})

    def address(self, host: str) -> tuple[str, int]:
        """Return the name and port at which a host listens."""
        name, _, port = self.addresses[self.hosts.index(host)].rpartition(":")
        return name, int(port)


def from_resources(resources: Resources) -> ClusterSpec:
    """Return the cluster that `resourceconfig.json` describes.

    Raises:
        PlatformError: This host is not among the hosts, or a host is listed twice.
    """
    hosts = tuple(sorted(resources.hosts))
    if resources.current_host not in hosts or len(set(hosts)) < len(hosts):
        raise PlatformError(
            f"resourceconfig.json lists the hosts {', '.join(hosts)} and the current host {resources.current_host}. "
            "It must list each host once, and the current host must be among them."
        )
    return ClusterSpec(hosts, hosts.index(resources.current_host))
