"""An AWS on this machine: moto's server on loopback, asked through boto3 as AWS would be."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from moto.core.base_backend import BackendDict
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from tests.support.web_servers import in_a_thread

ACCOUNT = "123456789012"
"""The caller's account."""
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""Any key does; what is not given is not looked for on the network."""


@functools.cache
def moto() -> DomainDispatcherApplication:
    """Return moto's web application: one for all tests, since each service takes a while at its first request.

    What its services hold belongs to the process, so that a new application would not be an empty one either.
    """
    return DomainDispatcherApplication(create_backend_app)


def forget() -> None:
    """Empty the AWS of this process."""
    BackendDict.reset()


@contextmanager
def aws_on_this_machine() -> Iterator[str]:
    """Run the server of an empty AWS and yield its address, for AWS_ENDPOINT_URL."""
    forget()
    server = make_server("127.0.0.1", 0, moto(), threaded=True, request_handler=MotoRequestHandler)
    with in_a_thread(server):
        yield f"http://127.0.0.1:{server.server_port}"
