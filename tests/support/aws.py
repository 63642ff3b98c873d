"""An AWS on this machine: moto's server on loopback, asked through boto3 as AWS would be."""

from collections.abc import Iterator
from contextlib import contextmanager

from moto.server import ThreadedMotoServer

ACCOUNT = "123456789012"
"""The caller's account."""
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""Any key does; what is not given is not looked for on the network."""


@contextmanager
def aws_on_this_machine() -> Iterator[str]:
    """Run the server and yield its address, for AWS_ENDPOINT_URL."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()
