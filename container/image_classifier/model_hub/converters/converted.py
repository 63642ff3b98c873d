"""Cache the archives of the backbones that install from packages: a conversion needs TensorFlow and ten seconds."""

import hashlib
import multiprocessing
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

from image_classifier import archives, artifacts, tensorflow_start
from image_classifier.contract.errors import PlatformError
from image_classifier.model_hub import packages, pretrained_classifier
from image_classifier.model_hub.converters.table import PACKAGED_BACKBONES


@dataclass(frozen=True)
class Wanted:
    """One backbone of `PACKAGED_BACKBONES`, in one of its forms."""

    name: str
    with_head: bool
    random_weights: bool
    hyperparameters: Mapping[str, str]
    """The model's own defaults, for its model info."""


def archive(wanted: Wanted) -> Path:
    """Return the archive, converted once for each version of our converters and of the catalogue.

    Raises:
        ExplainedError: The package cannot be fetched or has no such form, or the conversion is ended from outside.
    """
    parts = ["head"] * wanted.with_head + ["random"] * wanted.random_weights
    kept = packages.cache_folder() / "converted" / f"{'-'.join([wanted.name, *parts, _program_digest()])}.tar.gz"
    if not kept.is_file():
        with tempfile.TemporaryDirectory(prefix="converting-") as scratch:
            # In a new process: TensorFlow numbers names per process, and the result must be reproducible bytes.
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                try:
                    process.submit(_convert, wanted, Path(scratch)).result()
                except BrokenProcessPool as error:
                    raise PlatformError(
                        f"The conversion of {wanted.name} was ended from outside. Is there 1 GB of memory?"
                    ) from error
            if wanted.with_head:
                # A backbone is never served as it is; a classifier may be, where there is no TensorFlow.
                pretrained_classifier.add_ir(Path(scratch))
            archives.pack(Path(scratch), kept)
    return kept


def _convert(wanted: Wanted, folder: Path) -> None:
    tensorflow_start.start()
    PACKAGED_BACKBONES[wanted.name].write(folder, wanted.with_head, wanted.random_weights)
    info = artifacts.read_model_info(folder)
    artifacts.write_model_info(folder, replace(info, hyperparameters=dict(wanted.hyperparameters)))


def _program_digest() -> str:
    """Return a digest of the converting program, since another version may write other bytes."""
    here = Path(__file__).parent
    files = [
        *sorted(here.glob("*.py")),
        *sorted(here.parent.glob("*.*")),
        Path(archives.__file__),
        Path(artifacts.__file__),
    ]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files if path.is_file())).hexdigest()[:12]
