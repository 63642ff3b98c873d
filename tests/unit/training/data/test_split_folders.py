"""Which class folders are taken for parts of a split, and which are not."""

import pytest

from image_classifier.class_folders import split_folders

CLASSES = {"blue", "red"}


def found(below: dict[str, set[str]]) -> list[str]:
    """Return the parts among folders with their sub-folders."""
    return split_folders.parts(sorted(below), below.__getitem__)


@pytest.mark.parametrize(
    "names",
    [
        ("train", "val", "test"),
        ("train", "valid"),
        ("Training", "Testing"),
        ("TRAIN", "VAL"),
        ("train_set", "test_set"),
        ("trainset", "testset"),
        ("training_data", "validation_data"),
        ("train2017", "val2017"),
        ("TrainImages", "EvalImages"),
        ("train", "holdout"),
        ("train", "held-out"),
        ("train", "dev"),
        ("val", "test"),
        ("flowers_train", "flowers_test"),
        ("flowers-train", "flowers-valid", "flowers-test"),
        ("x_train", "x_test"),
    ],
)
@pytest.mark.parametrize("below", [CLASSES, set()], ids=["with classes below", "with images alone"])
def test_parts_of_a_split_are_told_by_their_names(names: tuple[str, ...], below: set[str]) -> None:
    """Names of two or more parts, whatever lies below -> all of them."""
    assert found(dict.fromkeys(names, below)) == sorted(names)


@pytest.mark.parametrize(
    "names", [("flowers", "flowers-test"), ("data", "data_val"), ("fold1", "fold2"), ("dataset_1", "dataset_2")]
)
def test_sibling_data_sets_are_told_by_what_they_share(names: tuple[str, ...]) -> None:
    """A data set and its test set, or numbered ones -> parts where they share sub-folders, else classes."""
    assert found(dict.fromkeys(names, CLASSES)) == sorted(names)
    assert found({name: set() for name in names}) == []
    assert found({names[0]: {"a"}, names[1]: {"b"}}) == []


@pytest.mark.parametrize(
    ("names", "below"),
    [
        (("cat", "dog"), {"2021", "2022"}),
        (("grade-0", "grade-1", "grade-2"), {"left", "right"}),
        (("0", "1", "2"), {"left", "right"}),
        (("test", "control"), {"day1", "day2"}),
        (("train", "bus", "car"), {"city", "country"}),
        (("valid", "invalid"), {"2021"}),
        (("control", "control-test"), set()),
        (("covid_test_positive", "covid_test_negative"), {"a"}),
        (("train station", "bus station"), {"day", "night"}),
        (("part_1", "part_2"), {"front", "back"}),
        (("+", "-"), {"a"}),
        (("test", "retest", "pretest"), set()),
    ],
)
def test_classes_that_share_sub_folders_stay_classes(names: tuple[str, ...], below: set[str]) -> None:
    """Classes with years or sides below, or with one word of a split among them -> no parts."""
    assert found(dict.fromkeys(names, below)) == []


def test_others_beside_a_split_are_not_named() -> None:
    """Parts beside a folder of another name -> the parts alone; the message says how classes stay usable."""
    names = ("annotations", "test", "train")
    assert found(dict.fromkeys(names, CLASSES)) == ["test", "train"]
    said = split_folders.message("training", ["test", "train"], CLASSES)
    assert 'class_weights: {"test": 1, "train": 1}' in said
