"""Bring a backbone in: make the `model` channel's archive from a package, a folder, an archive or a Hub handle."""

import argparse
import hashlib
import multiprocessing
import shutil
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

from image_classifier import archives, artifacts, tensorflow_start
from image_classifier.contract.errors import JobError, PlatformError, UserError
from image_classifier.model_hub import packages
from image_classifier.model_hub.converters import CONVERSIONS


@dataclass(frozen=True)
class Options:
    """What cannot be read off a SavedModel."""

    with_head: bool = False
    image_size: tuple[int, int] | None = None
    """Height and width; None: what the model info says, else 224 x 224."""
    pixel_scaling_method: str | None = None
    random_weights: bool = False
    """For control experiments: the architecture of a packaged backbone without what it has learnt."""


def stage(source: str, output: Path, options: Options | None = None) -> Path:
    """Write the archive of `source` to `output` and return it: SavedModel under `1/`, model info, labels with a head.

    `source` is one of `CONVERSIONS`, a model folder, an archive of one, or an https Hub handle.

    Raises:
        JobError: The source is unknown, cannot be fetched, or holds no SavedModel; or `output` cannot be written.
    """
    options = options or Options()
    if output.is_dir():
        raise UserError(
            f"--output {output} is a folder. Give the name of the archive, such as {output / 'lite0.tar.gz'}."
        )
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="staging-") as scratch:
            if source in CONVERSIONS:
                _replace(_converted(source, options, Path(scratch)), output)
            else:
                folder = Path(scratch) / "model"
                _copy(_find(source, Path(scratch)), source, folder, options)
                archives.pack(folder, output)
    except OSError as error:
        raise UserError(f"{source} cannot be staged to {output}: {error}. Look at that path and its disk.") from error
    return output


def _converted(source: str, options: Options, scratch: Path) -> Path:
    """Return the archive of a backbone from a package, converted once for each version of our converters."""
    if options.image_size or options.pixel_scaling_method:
        raise UserError(f"{source} has its own image size and pixel scaling. Leave the two options out.")
    parts = ["head"] * options.with_head + ["random"] * options.random_weights
    kept = packages.cache_folder() / "converted" / f"{'-'.join([source, *parts, _program_digest()])}.tar.gz"
    if not kept.is_file():
        # A process of its own: TensorFlow counts names through a process, and the same backbone must be the same bytes.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            try:
                process.submit(_convert, source, options, scratch / "model").result()
            except BrokenProcessPool as error:
                raise PlatformError(
                    f"The conversion of {source} was ended from outside. Is there 1 GB of memory?"
                ) from error
        archives.pack(scratch / "model", kept)
    return kept


def _convert(source: str, options: Options, folder: Path) -> None:
    tensorflow_start.start()
    CONVERSIONS[source].write(folder, options.with_head, options.random_weights)


def _program_digest() -> str:
    """Name the program that converts: another one may write other bytes."""
    files = [*sorted(Path(__file__).parent.glob("*.py")), Path(archives.__file__), Path(artifacts.__file__)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def _replace(file: Path, target: Path) -> None:
    """Copy a file so that a reader of `target` sees the old one or the whole new one, whoever else writes it."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".staging-") as scratch:
        shutil.copyfile(file, Path(scratch) / target.name).replace(target)


def _find(source: str, scratch: Path) -> Path:
    if source.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        from image_classifier.model_hub import hub_handle

        return hub_handle.resolve(source)
    if not Path(source).exists():
        raise UserError(
            f"{source!r} is neither {' nor '.join(CONVERSIONS)}, nor a folder, an archive or an https:// handle. "
            "Give one of these."
        )
    return archives.materialise(Path(source), scratch / "unpacked")


def _copy(found: Path, source: str, folder: Path, options: Options) -> None:
    info = artifacts.read_model_info(found)
    saved_model = found if (found / "saved_model.pb").is_file() else artifacts.saved_model_folder(found)
    shutil.copytree(saved_model, folder / artifacts.SAVED_MODEL_DIR)
    labels = (found / artifacts.LABELS_FILE).is_file() or (found / artifacts.CLASS_INDEX_FILE).is_file()
    if options.with_head and not labels:
        raise UserError(
            f"{source} has no {artifacts.LABELS_FILE}, so its head's classes have no names. Stage a folder that holds "
            f"this file and the SavedModel under {artifacts.SAVED_MODEL_DIR}/, or leave --with-head out."
        )
    if labels:
        artifacts.write_labels(folder, artifacts.read_labels(found))
    sha256 = artifacts.undamaged_sha256(folder / artifacts.SAVED_MODEL_DIR, info, source)
    method = options.pixel_scaling_method or info.pixel_scaling_method
    artifacts.write_model_info(
        folder,
        replace(
            info,
            image_size=options.image_size or info.image_size,
            pixel_scaling_method=method,
            source=info.source or source,
            sha256=sha256,
        ),
    )


def _image_size(text: str) -> tuple[int, int]:
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and 1 <= int(side) <= artifacts.LARGEST_SIDE for side in sides):
        raise argparse.ArgumentTypeError(
            f"got {text!r}; expected pixels from 1 to {artifacts.LARGEST_SIDE}, one number such as 224 or height and "
            "width such as 224x160"
        )
    return int(sides[0]), int(sides[-1])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `scripts/stage-backbone`."""
    parser = argparse.ArgumentParser(prog="scripts/stage-backbone", description="Make the model channel's archive.")
    known = "; ".join(f"{name}: {conversion.description}" for name, conversion in CONVERSIONS.items())
    parser.add_argument("source", help=f"DIR, TAR, an https:// handle, or {known}")
    parser.add_argument("--output", type=Path, required=True, metavar="TAR")
    parser.add_argument("--with-head", action="store_true", help="keep the classification head, to serve it untuned")
    parser.add_argument(
        "--image-size", type=_image_size, metavar="N|HxW", help="pixels (default: its model info's, or 224)"
    )
    parser.add_argument("--pixel-scaling", choices=artifacts.PIXEL_SCALING_METHODS, help="default: its model info's")
    given = parser.parse_args(arguments)
    try:
        stage(given.source, given.output, Options(given.with_head, given.image_size, given.pixel_scaling))
    except JobError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(f"{given.output}: {given.output.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
