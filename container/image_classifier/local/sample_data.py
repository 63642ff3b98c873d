"""Real photographs to try things on: fetched by package name or address, laid out as class folders, part held out."""

import csv
import hashlib
import io
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from image_classifier import archives
from image_classifier.contract.errors import PlatformError, UserError, last_line
from image_classifier.imaging import EXTENSIONS
from image_classifier.model_hub import packages

HELD_OUT_SHARE = 0.2
FLOWERS_ADDRESS = "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz"
STAMPS_PACKAGE = "tuxpaint-stamps-default"
STAMPS_CLASSES = {
    "birds": ("animals/birds",),
    "flowers": ("plants/flowers",),
    "fruit and vegetables": ("food/fruit", "food/vegetables"),
    "mammals": ("animals/mammals",),
}
"""Class name to folders below /usr/share/tuxpaint/stamps."""


@dataclass(frozen=True)
class SampleData:
    """A data set: what its user must know, and what writes `folder/<class>/<picture>`."""

    description: str
    licence: str
    write: Callable[[Path], None]


def fetch(name: str, into: Path) -> Path:
    """Fetch a data set once, say its licence, and return `into` with `train/<class>/` and `held-out/<class>/`.

    Raises:
        UserError: There is no data set of this name.
        PlatformError: What it comes from does not answer.
    """
    if name not in SAMPLES:
        raise UserError(f"There is no sample data {name!r}. Choose one of: {', '.join(SAMPLES)}.")
    sample = SAMPLES[name]
    print(f"{sample.description} Licence: {sample.licence}", flush=True)
    if not (into / "held-out").is_dir():
        into.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=into.parent) as scratch:
            sample.write(Path(scratch) / "all")
            hold_out(Path(scratch) / "all", Path(scratch) / "parts")
            shutil.rmtree(into, ignore_errors=True)
            (Path(scratch) / "parts").rename(into)
    return into


def hold_out(folder: Path, into: Path) -> Path:
    """Copy class folders into `into/train` and `into/held-out`; the same fifth of each class every time.

    Which pictures are held out follows from a hash of their names, so more pictures do not move the others. Of two
    pictures or more one is held out at least.

    Raises:
        UserError: The folder has no class folders with pictures, or `into`, which is emptied first, overlaps it.
    """
    given, target = folder.resolve(), into.resolve()
    if given.is_relative_to(target) or target.is_relative_to(given):
        raise UserError(f"{folder} cannot be divided into {into}: one lies in the other. Copy it somewhere else first.")
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    shutil.rmtree(into, ignore_errors=True)
    copied = 0
    for class_folder in classes:
        pictures = [path for path in class_folder.rglob("*") if path.suffix.lower() in EXTENSIONS]
        pictures.sort(key=lambda path: hashlib.sha256(path.relative_to(folder).as_posix().encode()).digest())
        held = max(round(len(pictures) * HELD_OUT_SHARE), int(len(pictures) > 1))
        for index, path in enumerate(pictures):
            target = into / ("held-out" if index < held else "train") / class_folder.name
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / "-".join(path.relative_to(class_folder).parts))
            copied += 1
    if not copied:
        raise UserError(f"{folder} has no pictures in class folders. Expected {folder}/<class name>/<picture>.")
    return into


def _write_solar_cells(folder: Path) -> None:
    data = "elpv_dataset/data"
    with zipfile.ZipFile(packages.fetch(packages.SOLAR_CELLS)) as wheel:
        table = io.StringIO(wheel.read(f"{data}/labels.csv").decode())
        for name, probability, *_ in csv.reader(table, delimiter=" ", skipinitialspace=True):
            # Between the two lie cells of which the annotators were not sure.
            label = {0.0: "functional", 1.0: "defective"}.get(float(probability))
            if label:
                _write(folder / label / Path(name).name, wheel.read(f"{data}/{name}"))


def _write_stamps(folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="stamps-") as scratch:
        _download_stamps(Path(scratch))
        _run(["dpkg-deb", "-x", str(next(Path(scratch).glob("*.deb"))), "unpacked"], Path(scratch))
        stamps = Path(scratch) / "unpacked" / "usr" / "share" / "tuxpaint" / "stamps"
        for label, folders in STAMPS_CLASSES.items():
            (folder / label).mkdir(parents=True)
            for path in _photographs(stamps / name for name in folders):
                # Cut-out photographs: without a background their transparent pixels would show through.
                with Image.open(path, formats=["PNG"]) as picture:
                    cut_out = picture.convert("RGBA")
                white = Image.new("RGBA", cut_out.size, "white")
                name = "-".join(path.relative_to(stamps).parts)
                Image.alpha_composite(white, cut_out).convert("RGB").save(folder / label / name)


def _download_stamps(folder: Path) -> None:
    download = ["apt-get", "download", "--quiet", STAMPS_PACKAGE]
    try:
        _run(download, folder)
    except PlatformError:
        # Package lists of our own: a new machine has none, and the machine's need root.
        (folder / "lists" / "partial").mkdir(parents=True)
        own = ["-o", f"Dir::State::Lists={folder / 'lists'}", "-o", f"Dir::Cache={folder}"]
        _run(["apt-get", "update", "--quiet", *own], folder)
        _run([*download, *own], folder)


def _photographs(folders: Iterable[Path]) -> list[Path]:
    drawn = {"cartoon", "plastic", "toys"}
    return sorted(path for folder in folders for path in folder.rglob("*.png") if not drawn & set(path.parts))


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise PlatformError(f"The stamps come from a Debian package, and there is no {command[0]} here.") from error
    if done.returncode != 0:
        raise PlatformError(f"{' '.join(command[:2])} {STAMPS_PACKAGE} failed: {last_line(done.stderr)}.")


def _write_flowers(folder: Path) -> None:
    write_flowers(folder, FLOWERS_ADDRESS)


def write_flowers(folder: Path, address: str) -> None:
    """Download the flowers' archive from `address` and lay out its class folders.

    Raises:
        PlatformError: The server does not answer with the archive.
        UserError: What it sends is no such archive.
    """
    with tempfile.TemporaryDirectory(prefix="flowers-") as scratch:
        archive = Path(scratch) / "flower_photos.tgz"
        try:
            with urllib.request.urlopen(address, timeout=60) as answer, archive.open("wb") as file:
                shutil.copyfileobj(answer, file)
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            raise PlatformError(
                f"{address} cannot be fetched: {error}. The flowers need the internet; --data solar needs PyPI alone."
            ) from error
        archives.unpack(archive, Path(scratch) / "unpacked")
        photographs = Path(scratch) / "unpacked" / "flower_photos"
        if not photographs.is_dir():
            raise UserError(f"{address} sent an archive without the folder flower_photos, so it is not the flowers.")
        shutil.copytree(photographs, folder)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


SAMPLES = {
    "solar": SampleData(
        "Solar cells (elpv-dataset, Buerhop-Lutz et al. 2018): photographs in their own light, sound or defective.",
        "CC-BY-NC-SA-4.0, non-commercial.",
        _write_solar_cells,
    ),
    "stamps": SampleData(
        f"Stamps (Debian's {STAMPS_PACKAGE}): cut-out photographs of birds, flowers, fruit and vegetables, mammals.",
        "GPL-2.",
        _write_stamps,
    ),
    "flowers": SampleData(
        "Flowers (tf_flowers): photographs of daisy, dandelion, roses, sunflowers, tulips.",
        "CC-BY by TensorFlow's catalogue, Apache-2.0 by AWS's announcement.",
        _write_flowers,
    ),
}
