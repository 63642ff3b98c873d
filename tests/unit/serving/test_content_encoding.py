"""Content-Encoding: gzip up to the body limit, everything else is rejected by name."""

import base64
import gzip
import json
import time
import tracemalloc
import zlib

import pytest
from flask.testing import FlaskClient

from image_classifier.serving.formats import content_encoding
from image_classifier.serving.rejection import RejectedError

LIMIT = 1_000_000
BODY = b"the bytes of an image " * 100


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", " gzip ", "identity, gzip", "gzip,"])
def test_gzip_is_decompressed(encoding: str) -> None:
    """Given a compressed body under each name of gzip -> the decompressed body."""
    assert content_encoding.decoded(encoding, gzip.compress(BODY), LIMIT) == BODY


@pytest.mark.parametrize("encoding", [None, "", "identity", "Identity, identity"])
def test_identity_returns_the_body(encoding: str | None) -> None:
    """Given no encoding or identity -> the same object."""
    assert content_encoding.decoded(encoding, BODY, LIMIT) is BODY


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "compress", "gzip, gzip", "aws-chunked", "x" * 5_000])
def test_other_encodings_are_rejected_by_name(encoding: str) -> None:
    """Given other encodings, or several -> 415 that names the header and the supported ones, in a short sentence."""
    with pytest.raises(
        RejectedError, match=r"^Content-Encoding '.*' is not supported\. Supported: gzip, identity\."
    ) as found:
        content_encoding.decoded(encoding, BODY, LIMIT)
    assert (found.value.status, found.value.headers) == (415, {"Accept-Encoding": "gzip, identity"})
    assert len(found.value.message) < 300


def test_gzip_members_are_concatenated() -> None:
    """Given 2,000 gzip members -> their concatenated contents; more than 10,000 -> 400."""
    assert content_encoding.decoded("gzip", gzip.compress(b"x" * 300) * 2_000, LIMIT) == b"x" * 600_000
    with pytest.raises(RejectedError, match="more than 10,000 members"):
        content_encoding.decoded("gzip", gzip.compress(b"") * 20_000, LIMIT)


@pytest.mark.parametrize(
    "body",
    [b"text", gzip.compress(BODY)[:-9], gzip.compress(BODY)[:20], zlib.compress(BODY), b""],
    # gzip writes the time into its header, and a test's name must be the same in every process.
    ids=["text", "cut off", "header alone", "zlib", "empty"],
)
def test_body_that_is_not_gzip_is_rejected(body: bytes) -> None:
    """Given other bytes, a truncated body, zlib's format -> 400."""
    with pytest.raises(RejectedError, match="Content-Encoding is gzip, but the body is not") as found:
        content_encoding.decoded("gzip", body, LIMIT)
    assert (found.value.status, found.value.code) == (400, "invalid_encoding")


@pytest.mark.parametrize("members", [1, 50])
def test_decompression_stops_at_the_limit(members: int) -> None:
    """Given 100 MB of zeros in 100 KB -> 413, with little more memory than the limit."""
    bomb = gzip.compress(bytes(100_000_000 // members)) * members
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(RejectedError, match="The body is larger") as found:
            content_encoding.decoded("gzip", bomb, LIMIT)
        assert tracemalloc.get_traced_memory()[1] < 6 * LIMIT
    finally:
        tracemalloc.stop()
    assert found.value.status == 413
    assert time.process_time() - began < 1


def test_compressed_image_and_list_are_answered(client: FlaskClient, green: bytes) -> None:
    """Given an image and a list in gzip -> the same responses as uncompressed."""
    listed = json.dumps({"instances": [{"b64": base64.b64encode(green).decode()}]}).encode()
    for body, kind in ((green, "application/x-image"), (listed, "application/json")):
        plain = client.post("/invocations", data=body, content_type=kind)
        packed = client.post(
            "/invocations", data=gzip.compress(body), content_type=kind, headers={"Content-Encoding": "gzip"}
        )
        assert (packed.status_code, packed.data) == (200, plain.data)
