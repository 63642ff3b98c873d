"""Sample data sets of real photographs: fetched from a package or an address, as class folders, a part held out.

The console lists them: Pillow and NumPy are imported by the writers that need them.
"""

import csv
import hashlib
import io
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from image_classifier import durable_files, own_files
from image_classifier.contract.errors import UserError
from image_classifier.contract.system_names import is_ignored
from image_classifier.imaging import EXTENSIONS
from image_classifier.model_hub import packages
from image_classifier.photographs import debian_package, flowers

HELD_OUT_SHARE = 0.2
PARTS = ("train", "held-out")
WRITER = "scripts/demo"
"""The marker of a folder of parts, which the next run may replace."""
STAMPS_PACKAGE = "tuxpaint-stamps-default"
FASHION_PACKAGE = "dataset-fashion-mnist"
STAMPS_CLASSES = {
    "birds": ("animals/birds",),
    "flowers": ("plants/flowers",),
    "fruit and vegetables": ("food/fruit", "food/vegetables"),
    "mammals": ("animals/mammals",),
}
"""Class name to folders below /usr/share/tuxpaint/stamps."""


@dataclass(frozen=True)
class SampleData:
    """A data set: description, licence, and a function that writes `folder/<class>/<image>`."""

    description: str
    licence: str
    write: Callable[[Path], None]

    @property
    def announcement(self) -> str:
        """Description and licence in one line, shown before anything is fetched."""
        return f"{self.description} Licence: {self.licence}"


def find(name: str) -> SampleData:
    """Return a data set by its name.

    Raises:
        UserError: The name is unknown.
    """
    if name not in SAMPLES:
        raise UserError(f"Unknown sample data {name!r}. Choose one of: {', '.join(SAMPLES)}.")
    return SAMPLES[name]


def fetch(name: str, into: Path, announce: Callable[[str], None] = print) -> Path:
    """Fetch a data set once, announce its licence, and return `into` with `train/<class>/` and `held-out/<class>/`.

    Raises:
        UserError: Unknown name.
        PlatformError: Its source does not answer.
    """
    sample = find(name)
    if (into / "held-out").is_dir():
        announce(sample.announcement)
        return into
    return write(sample, into, sample.write, divided=True, announce=announce)


def write(
    sample: SampleData,
    into: Path,
    writer: Callable[[Path], None],
    divided: bool,
    announce: Callable[[str], None] = print,
) -> Path:
    """Let `writer` write the class folders, announce the licence, and leave everything in `into`, or nothing.

    `divided`: into `train/` and `held-out/`, see `hold_out`; else the class folders lie in `into` itself.

    Raises:
        UserError: `into` is not empty, or is a link or a file; it is unchanged.
    """
    announce(sample.announcement)
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into.parent) as scratch:
        found = Path(scratch) / "all"
        writer(found)
        if divided:
            found = hold_out(found, Path(scratch) / "parts")
            (found / own_files.MARKER).unlink()
        own_files.remove_empty(into)
        durable_files.rename_folder(found, into)
    return into


def hold_out(folder: Path, into: Path) -> Path:
    """Copy class folders into `into/train` and `into/held-out`; the same fifth of each class every time.

    Which images are held out follows from a hash of their names, so more images do not move the others. Of two
    images or more one is held out at least.

    Raises:
        UserError: The folder has no class folders with images, `into` overlaps it, or holds anything but the parts of
            an earlier call, which are replaced.
    """
    given, target = folder.resolve(), into.resolve()
    if given.is_relative_to(target) or target.is_relative_to(given):
        raise UserError(f"{folder} cannot be divided into {into}: one lies in the other. Copy it elsewhere first.")
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not is_ignored(path.name))
    _make_room(into)
    copied = 0
    for class_folder in classes:
        images = _images(class_folder)
        images.sort(key=lambda path: hashlib.sha256(path.relative_to(folder).as_posix().encode()).digest())
        held = max(round(len(images) * HELD_OUT_SHARE), int(len(images) > 1))
        for index, path in enumerate(images):
            target = into / ("held-out" if index < held else "train") / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            copied += 1
    if not copied:
        raise UserError(f"{folder} has no images in class folders. Expected {folder}/<class name>/<image>.")
    return into


def _images(class_folder: Path) -> list[Path]:
    """Return the images of a class at any depth, without those of operating systems and storage, as a job does."""

    def is_one(path: Path) -> bool:
        parts = path.relative_to(class_folder).parts
        return path.suffix.lower() in EXTENSIONS and path.is_file() and not any(map(is_ignored, parts))

    return [path for path in class_folder.rglob("*") if is_one(path)]


def _make_room(into: Path) -> None:
    """Make an empty folder that carries the marker; the parts that an earlier call wrote there are removed."""
    own_files.reject_other_kind(into)
    if into.is_dir() and not own_files.is_empty(into):
        others = sorted({path.name for path in into.iterdir()} - {own_files.MARKER, *PARTS})
        if others or not own_files.is_marked(into, WRITER):
            raise UserError(
                f"{into} holds {', '.join(others[:5]) or 'parts'} that this program did not write. Move it away."
            )
    for part in PARTS:
        own_files.remove_folder(into / part)
    into.mkdir(parents=True, exist_ok=True)
    own_files.mark(into, WRITER)


def some(everything: Path, into: Path, counts: Mapping[str, int]) -> Path:
    """Copy the first `counts[part]` images of each class in each part, `train` and `held-out`, and return `into`."""
    for part, count in counts.items():
        for class_folder in sorted((everything / part).iterdir()):
            target = into / part / class_folder.name
            target.mkdir(parents=True)
            for image in sorted(class_folder.iterdir())[:count]:
                shutil.copyfile(image, target / image.name)
    return into


def _write_solar_cells(folder: Path) -> None:
    data = "elpv_dataset/data"
    with zipfile.ZipFile(packages.fetch(packages.SOLAR_CELLS)) as wheel:
        table = io.StringIO(wheel.read(f"{data}/labels.csv").decode())
        for name, probability, *_ in csv.reader(table, delimiter=" ", skipinitialspace=True):
            # Probabilities in between mark cells on which the annotators were unsure.
            label = {0.0: "functional", 1.0: "defective"}.get(float(probability))
            if label:
                _write(folder / label / Path(name).name, wheel.read(f"{data}/{name}"))


def _write_stamps(folder: Path) -> None:
    from PIL import Image

    with tempfile.TemporaryDirectory(prefix="stamps-") as scratch:
        stamps = debian_package.unpack(STAMPS_PACKAGE, Path(scratch)) / "usr" / "share" / "tuxpaint" / "stamps"
        for label, folders in STAMPS_CLASSES.items():
            (folder / label).mkdir(parents=True)
            for path in _photographs(stamps / name for name in folders):
                # Cut-out photographs: transparent pixels need a background.
                with Image.open(path, formats=["PNG"]) as image:
                    cut_out = image.convert("RGBA")
                white = Image.new("RGBA", cut_out.size, "white")
                name = "-".join(path.relative_to(stamps).parts)
                Image.alpha_composite(white, cut_out).convert("RGB").save(folder / label / name)


def _write_fashion(folder: Path) -> None:
    from image_classifier.photographs import fashion

    fashion.write(FASHION_PACKAGE, folder)


def _photographs(folders: Iterable[Path]) -> list[Path]:
    drawn = {"cartoon", "plastic", "toys"}
    return sorted(path for folder in folders for path in folder.rglob("*.png") if not drawn & set(path.parts))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


SAMPLES = {
    "solar": SampleData(
        "Solar cells (elpv-dataset, Buerhop-Lutz et al. 2018): electroluminescence images, functional or defective.",
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
        flowers.LICENCE,
        flowers.write_from_server,
    ),
    "fashion": SampleData(
        f"Fashion-MNIST (Debian's {FASHION_PACKAGE}): 70,000 grey images of 28 x 28 pixels, for size and speed.",
        "MIT.",
        _write_fashion,
    ),
}
