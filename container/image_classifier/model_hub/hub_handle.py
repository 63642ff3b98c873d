"""Fetch a model by its Hub handle, an https address that tensorflow_hub resolves."""

import http.client
import os
import tarfile
import urllib.error
import zlib
from pathlib import Path

from image_classifier import tensorflow_start
from image_classifier.contract.errors import UserError
from image_classifier.model_hub import packages


def resolve(handle: str) -> Path:
    """Return the folder of the SavedModel at `handle`, downloaded by tensorflow_hub once.

    It is kept where TFHUB_CACHE_DIR says, else in our own cache: tensorflow_hub's default is open to every user.

    Raises:
        UserError: The server refuses it or does not answer, or what it sends is no model archive.
    """
    tensorflow_start.start()
    import tensorflow as tf
    import tensorflow_hub as hub

    os.environ.setdefault("TFHUB_MODEL_LOAD_FORMAT", "COMPRESSED")
    os.environ.setdefault("TFHUB_CACHE_DIR", str(packages.cache_folder() / "hub"))
    unreadable = (http.client.HTTPException, tarfile.TarError, zlib.error, EOFError, ValueError, tf.errors.OpError)
    try:
        return Path(hub.resolve(handle))
    except urllib.error.HTTPError as error:
        hint = {
            403: "The model may ask for a login or an accepted licence",
            404: "There is no such model or version",
        }.get(error.code, "The server has a problem of its own")
        raise UserError(
            f"{handle} answered {error.code} {error.reason}. {hint}. A folder or an archive can be staged too."
        ) from error
    except (OSError, *unreadable) as error:
        raise UserError(
            f"{handle} cannot be fetched: {error}. Expected the address of a TF2 SavedModel on TensorFlow Hub; "
            "a folder or an archive can be staged too."
        ) from error
