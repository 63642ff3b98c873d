import shutil
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_classifier.evaluation import duplicates, traits
from image_classifier.evaluation.duplicates import Duplicates, Kind, Member
from image_classifier.evaluation.evidence import TRAINING, VALIDATION, Split
from image_classifier.evaluation.statistics import Proportion
from image_classifier.evaluation.traits import Traits
from tests.support import photographs

CLASSES = ("a", "b")


def scene(seed: int) -> Image.Image:
    """Return a random smooth image of 160 x 120 pixels with some texture."""
    noise = np.random.default_rng(seed)
    coarse = Image.fromarray(noise.integers(0, 256, (9, 12, 3), np.uint8)).resize((160, 120), Image.Resampling.BICUBIC)
    levels = np.asarray(coarse, np.int16) + noise.integers(-12, 12, (120, 160, 1))
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders `training` with 80 images, and `validation` with 30 others."""
    folder = tmp_path_factory.mktemp("scenes")
    write(folder / "training", 0, 80)
    write(folder / "validation", 1000, 30)
    return folder


@pytest.fixture
def folders(scenes: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Copies of both folders."""
    training, validation = (shutil.copytree(scenes / name, tmp_path / name) for name in ("training", "validation"))
    return training, validation


def write(folder: Path, first_seed: int, count: int) -> Path:
    """Write `count` images into the two class folders."""
    for index in range(count):
        path = folder / CLASSES[index % 2] / f"{index:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        scene(first_seed + index).save(path)
    return folder


def as_is(path: Path, target: Path) -> None:
    """Write the same pixels into another container."""
    with Image.open(path) as image:
        image.convert("RGB").save(target.with_suffix(".webp"), lossless=True)


def encoded_again(path: Path, target: Path) -> None:
    """Write a JPEG of quality 70."""
    with Image.open(path) as image:
        image.convert("RGB").save(target.with_suffix(".jpg"), quality=70)


def resized(path: Path, target: Path) -> None:
    """Write a PNG of 80 % of the size."""
    with Image.open(path) as image:
        image.resize((round(image.width * 0.8), round(image.height * 0.8))).save(target.with_suffix(".png"))


def cropped(path: Path, target: Path) -> None:
    """Write a JPEG without a fortieth of each side."""
    with Image.open(path) as image:
        border = image.width // 40, image.height // 40
        box = (*border, image.width - border[0], image.height - border[1])
        image.convert("RGB").crop(box).save(target.with_suffix(".jpg"), quality=90)


def read_split(name: str, folder: Path) -> tuple[Split, list[Traits | None]]:
    """Return a split whose features are those of a network without weights: 12 x 12 means of each colour."""
    files = tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*")))
    labels = np.array([CLASSES.index(file.split("/")[0]) for file in files])
    rows = []
    for file in files:
        with Image.open(folder / file) as image:
            rows.append(np.asarray(image.convert("RGB").resize((12, 12), Image.Resampling.BOX), np.float32).ravel())
    answers = labels.copy()
    answers[: len(answers) // 4] = 1 - answers[: len(answers) // 4]
    split = Split(name, folder, files, labels, np.eye(2, dtype=np.float32)[answers], np.array(rows, np.float32))
    return split, traits.read([folder / file for file in files])


def found_in(training: Path, validation: Path, features: bool = True) -> tuple[Duplicates, list[Split]]:
    """Return what is found in two folders, the validation images judged, and their splits."""
    read = {name: read_split(name, folder) for name, folder in ((VALIDATION, validation), (TRAINING, training))}
    splits = [split if features else replace(split, features=None) for split, _ in read.values()]
    return duplicates.find(splits, {name: found for name, (_, found) in read.items()}), splits


def names(found: Duplicates, splits: list[Split]) -> set[frozenset[str]]:
    """Return the stems of the files of each group."""
    files = {split.name: split.files for split in splits}
    return {frozenset(Path(files[one.split][one.row]).stem for one in group.members) for group in found.groups}


@pytest.mark.parametrize("features", [True, False])
def test_planted_leaks_are_all_found(folders: tuple[Path, Path], features: bool) -> None:
    """10 images in another container, 10 encoded again or resized, among 110 -> these 20 pairs and no other."""
    training, validation = folders
    for index in range(20):
        change = as_is if index < 10 else (encoded_again, resized)[index % 2]
        [path] = training.glob(f"*/{index:03}.*")
        change(path, validation / path.parent.name / f"leak-{index:03}")
    found, splits = found_in(training, validation, features)

    assert names(found, splits) == {frozenset((f"{index:03}", f"leak-{index:03}")) for index in range(20)}
    assert all(group.is_leak and not group.contradicts for group in found.groups)
    assert sum(group.kind is Kind.EXACT for group in found.groups) == 10
    assert sorted(splits[0].files[row] for row in found.leaked) == sorted(
        file for file in splits[0].files if "leak" in file
    )
    right = splits[0].predicted == splits[0].labels
    kept = np.array(["leak" not in file for file in splits[0].files])
    assert found.accuracy_without == Proportion(int(right[kept].sum()), 30)


def test_nothing_is_found_without_plants(folders: tuple[Path, Path]) -> None:
    """110 different images -> no group, and no other accuracy."""
    found, _ = found_in(*folders)

    assert found == Duplicates((), (), None)


def test_slight_crops_are_found(folders: tuple[Path, Path]) -> None:
    """10 images without a fortieth of each side -> near duplicates of their originals."""
    training, validation = folders
    for index in range(10):
        [path] = training.glob(f"*/{index:03}.*")
        cropped(path, validation / path.parent.name / f"leak-{index:03}")
    found, splits = found_in(training, validation)

    assert names(found, splits) == {frozenset((f"{index:03}", f"leak-{index:03}")) for index in range(10)}
    assert {group.kind for group in found.groups} == {Kind.NEAR}


def test_contradiction_within_a_split_is_no_leak(folders: tuple[Path, Path]) -> None:
    """The same image in both classes of the training images -> one contradiction, after the leaks."""
    training, validation = folders
    as_is(training / "a" / "000.png", training / "b" / "again")
    as_is(training / "a" / "002.png", training / "a" / "other")
    as_is(training / "a" / "018.png", validation / "a" / "leak")
    found, splits = found_in(training, validation)

    assert [(group.is_leak, group.contradicts) for group in found.groups] == [
        (True, False),
        (False, True),
        (False, False),
    ]
    assert [splits[0].files[row] for row in found.leaked] == ["a/leak.webp"]
    assert found.groups[1].labels == (0, 1)
    assert found.groups[1].members[0] == Member(TRAINING, splits[1].files.index("a/000.png"))


def test_copies_make_one_group(folders: tuple[Path, Path]) -> None:
    """One image five times, one of them encoded again -> one group of near duplicates."""
    training, validation = folders
    for index in range(3):
        as_is(training / "a" / "000.png", training / "a" / f"copy-{index}")
    encoded_again(training / "a" / "000.png", validation / "a" / "copy-3")
    found, _ = found_in(training, validation)

    assert [(group.kind, len(group.members)) for group in found.groups] == [(Kind.NEAR, 5)]
    assert [member.split for member in found.groups[0].members] == [VALIDATION] + 4 * [TRAINING]


def test_features_decide_where_hashes_are_equal() -> None:
    """Two images with one hash and one luma -> duplicates only with alike features; unreadable: not compared."""
    directions = np.random.default_rng(1).standard_normal((4, 32)).astype(np.float32)
    one = Traits("png", 10, 10, 100, 0.5, 0.1, 10.0, 0.0, 77, luma=bytes(1024))
    for second, count in ((directions[0] + 0.01, 1), (directions[1], 0)):
        features = np.stack([directions[0], second, directions[2], directions[3]])
        hashes: list[Traits | None] = [one, one, replace(one, perceptual_hash=2**64 - 1), None]
        split = Split(TRAINING, Path("missing"), ("a", "b", "c", "d"), np.zeros(4, np.int64), None, features)

        assert len(duplicates.find([split], {TRAINING: hashes}).groups) == count


def test_images_of_one_colour(tmp_path: Path) -> None:
    """Three white images, two black ones -> one group of each colour."""
    for name, colour in {"a/1": "white", "a/2": "white", "a/3": "black", "b/4": "white", "b/5": "black"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (60, 50), colour).save((tmp_path / name).with_suffix(".png"))
    split, found = read_split(TRAINING, tmp_path)

    assert names(duplicates.find([split], {TRAINING: found}), [split]) == {frozenset("124"), frozenset("35")}


@pytest.mark.every
def test_many_rows() -> None:
    """50,000 random hashes, 2,000 of them equal -> one group of these, in bounded memory."""
    hashes = np.random.default_rng(2).integers(0, 2**63, 50_000).astype(np.uint64)
    hashes[:2000] = hashes[0]
    one = Traits("png", 10, 10, 100, 0.5, 0.1, 10.0, 0.0, 0, luma=bytes(1024))
    found: list[Traits | None] = [replace(one, perceptual_hash=int(value)) for value in hashes]
    features = np.random.default_rng(3).standard_normal((50_000, 16)).astype(np.float32)
    features[:2000] = features[0]
    files = tuple(str(row) for row in range(50_000))
    split = Split(TRAINING, Path("missing"), files, np.zeros(50_000, np.int64), None, features)
    tracemalloc.start()
    groups = duplicates.find([split], {TRAINING: found}).groups
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert max(len(group.members) for group in groups) == 2000
    assert peak < 400 * 2**20


@pytest.mark.every
@pytest.mark.parametrize("planted", [True, False])
def test_solar_cells_that_look_alike(tmp_path: Path, planted: bool) -> None:
    """400 grey cells that look alike, half of the time with 20 planted leaks -> these and no other."""
    cells = photographs.some_solar_cells(tmp_path, {"train": 140, "held-out": 60})
    for index, path in enumerate(sorted((cells / "train").rglob("*.png"))[::14][:20] if planted else ()):
        change = as_is if index < 10 else (encoded_again, resized)[index % 2]
        change(path, cells / "held-out" / path.parent.name / f"leak-{path.stem}")
    read = {}
    for name, folder in ((VALIDATION, cells / "held-out"), (TRAINING, cells / "train")):
        files = tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*")))
        read[name] = (
            Split(name, folder, files, np.zeros(len(files), np.int64)),
            traits.read([folder / f for f in files]),
        )
    splits = [split for split, _ in read.values()]
    found = duplicates.find(splits, {name: found for name, (_, found) in read.items()})
    stems = [stem for stem in (Path(file).stem for file in splits[0].files) if stem.startswith("leak-")]

    assert len(stems) == (20 if planted else 0)
    assert names(found, splits) == {frozenset((stem, stem.removeprefix("leak-"))) for stem in stems}
    assert sum(group.kind is Kind.EXACT for group in found.groups) == len(stems) // 2
