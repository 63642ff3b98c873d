"""The log's lines against the expressions that read them."""

import re

import pytest

from image_classifier.contract import job_log, metrics
from image_classifier.contract.hyperparameters import parse

MULTI = {"loss": 0.4123456, "accuracy": 0.9123, "top_5_accuracy": 0.99, "val_loss": 0.35, "val_accuracy": 0.9322}
MULTI |= {"val_top_5_accuracy": 0.98}
BINARY_NAMES = metrics.metric_names(binary=True, classes=2)
BINARY = {prefix + name: 1.0 + index for prefix in ("", "val_") for index, name in enumerate(BINARY_NAMES)}

# As the guide's readers, JumpStart and the published notebooks search the log.
PUBLISHED = {
    "val_accuracy": r"val_accuracy: ([0-9\.]+)",
    "val_loss": r"val_loss: ([0-9\.]+)",
    "accuracy": r"- accuracy: ([0-9\.]+)",
    "loss": r"- loss: ([0-9\.]+)",
    "top_5_accuracy": r"- top_5_accuracy: ([0-9\.]+)",
    "val_top_5_accuracy": r"- val_top_5_accuracy: ([0-9\.]+)",
}


def whole_log(best: dict[str, float]) -> list[str]:
    """Return a job's log: settings, three epochs of which the second is best, and the end."""
    worse = dict.fromkeys(best, 0.0)
    test = {name: 0.5 for name in best if not name.startswith("val_")}
    return [
        *parse({}).log_lines(),
        *(metrics.epoch_line(92, 92, 30.4, logs) for logs in (worse, best, worse)),
        *metrics.final_lines(best),
        *metrics.parameter_lines(3_413_024, 6_405),
        *metrics.duration_lines(91.2, 3),
        *metrics.test_lines(test, 2.5, 100),
    ]


def last_match(regex: str, log: list[str]) -> str:
    """Return what the platform takes as a metric's final value."""
    return str(re.findall(regex, "\n".join(log))[-1])


def test_an_epoch() -> None:
    """An epoch's measurements -> one line like Keras', training before validation, plain decimals."""
    shuffled = {name: MULTI[name] for name in sorted(MULTI, reverse=True)}
    assert metrics.epoch_line(92, 92, 30.4, shuffled) == (
        "92/92 - 30s - loss: 0.412346 - accuracy: 0.9123 - top_5_accuracy: 0.9900"
        " - val_loss: 0.350000 - val_accuracy: 0.9322 - val_top_5_accuracy: 0.9800"
    )


def test_the_end_of_a_job() -> None:
    """The best epoch -> a line a metric in the documented order, val_accuracy last."""
    assert metrics.final_lines(MULTI) == [
        "- loss: 0.412346",
        "- accuracy: 0.9123",
        "- top_5_accuracy: 0.9900",
        "- val_loss: 0.350000",
        "- val_top_5_accuracy: 0.9800",
        "- val_accuracy: 0.9322",
    ]


def test_the_summary() -> None:
    """Sizes, times and the test channel -> their lines in the documented order; an image's latency, not a batch's."""
    assert metrics.parameter_lines(100, 30) == [
        "- Number of parameters: 100",
        "- Number of trainable parameters: 30",
        "- Number of non-trainable parameters: 70",
    ]
    assert metrics.duration_lines(9.0, 3) == [
        "- Total training duration: 9.000",
        "- Average training duration per epoch: 3.000",
    ]
    assert metrics.test_lines({"accuracy": 0.5, "loss": 1.25}, 0.5, 200) == [
        "- Test loss: 1.250000",
        "- Test accuracy: 0.5000",
        "- Test evaluation latency: 0.500",
        "- Average test latency per sample: 0.002500",
        "- Average test throughput: 400.000",
    ]


def test_nothing_to_divide_by() -> None:
    """No epoch or no test image -> no average, and no exception."""
    assert metrics.duration_lines(0.0, 0) == ["- Total training duration: 0.000"]
    assert metrics.test_lines({}, 0.0, 0) == ["- Test evaluation latency: 0.000"]


@pytest.mark.parametrize("best", [MULTI, BINARY], ids=["classes", "binary"])
def test_each_definition_reads_its_own_line(best: dict[str, float]) -> None:
    """The whole log of a job -> the last match of each definition is the best epoch's number, or the summary's."""
    log = whole_log(best)
    read = {item["Name"]: re.findall(item["Regex"], "\n".join(log)) for item in metrics.definitions()}
    for name, value in best.items():
        names = (name,) if name.startswith("val_") else (f"train_{name}", f"test_{name}")
        for found in names:
            if found in read:
                assert float(read[found][-1]) == pytest.approx(0.5 if found.startswith("test_") else value, abs=5e-5)
    assert read["validation:accuracy"] == read["tflow-ic:val-accuracy"] == read["val_accuracy"]
    assert [read[name][-1] for name in ("parameters", "trainable_parameters")] == ["3413024", "6405"]
    assert [read[name][-1] for name in ("training_duration_per_epoch", "test_throughput")] == ["30.400", "40.000"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_expressions_that_others_published(name: str) -> None:
    """The expressions of JumpStart and the notebooks -> the same last match, the best epoch's number."""
    assert float(last_match(PUBLISHED[name], whole_log(MULTI))) == pytest.approx(MULTI[name], abs=1e-6)


@pytest.mark.parametrize("line", metrics.lines(), ids=lambda line: line.label)
def test_names_like_a_metric_are_not_read(line: metrics.Line, capsys: pytest.CaptureFixture[str]) -> None:
    """A class that is named like a line of the log -> shown, and no expression reads it; the line itself is read."""
    name, expressions = line.show(0.9), [*(item["Regex"] for item in metrics.definitions()), *PUBLISHED.values()]
    job_log.log(f"The weakest class is {name}, with 20 images.")
    shown = capsys.readouterr().out
    assert shown == f"The weakest class is {name.replace(': ', r':' + chr(92) + 'x20')}, with 20 images.\n"
    assert not any(re.search(regex, shown) for regex in expressions)
    job_log.log_metrics(name)
    assert re.search(line.regex, capsys.readouterr().out)


@pytest.mark.parametrize("line", metrics.lines(), ids=lambda line: line.label)
def test_a_line_is_read_by_one_expression_alone(line: metrics.Line) -> None:
    """A printed line -> its own expression finds the number; no other line's expression matches."""
    shown = line.show(12.5)
    readers = [other.label for other in metrics.lines() if re.search(other.regex, shown)]
    assert readers == [line.label]


@pytest.mark.parametrize("value", [1e-7, 1e-30, 123456789.0, 1e22, -0.0, 1.0])
def test_numbers_without_exponents(value: float) -> None:
    """Tiny, huge and negative-zero numbers -> the whole number is what the expression reads."""
    for line in metrics.lines():
        shown = line.show(value)
        found = re.search(line.regex, shown)
        assert found
        assert shown.endswith(f": {found[1]}")
        assert float(found[1]) == pytest.approx(value, abs=0.5 * 10**-line.decimals)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_read_as_one(value: float) -> None:
    """A NaN or infinite loss -> shown as such, and matched by no expression."""
    shown = metrics.epoch_line(1, 1, 0.0, {"loss": value, "val_loss": value})
    assert str(value) in shown
    assert not any(re.search(item["Regex"], shown) for item in metrics.definitions())


@pytest.mark.parametrize(
    "show",
    [
        metrics.final_lines,
        lambda logs: metrics.epoch_line(1, 1, 1.0, logs),
        lambda logs: metrics.test_lines(logs, 1, 1),
    ],
)
def test_undeclared_metrics(show: object) -> None:
    """A metric without a declaration -> an error that names it, rather than an unreadable line."""
    assert callable(show)
    with pytest.raises(ValueError, match="f1_score"):
        show({"f1_score": 0.5})


def test_definitions_fit_the_api() -> None:
    """All definitions -> at most 40, unique names, lengths within the API's limits, one group each."""
    found = metrics.definitions()
    assert len(found) <= 40
    assert len({item["Name"] for item in found}) == len(found)
    assert all(len(item["Name"]) <= 255 and len(item["Regex"]) <= 500 for item in found)
    assert all(re.compile(item["Regex"]).groups == 1 for item in found)


@pytest.mark.parametrize(
    ("binary", "classes", "names"),
    [
        (False, 5, ("loss", "accuracy")),
        (False, 6, ("loss", "accuracy", "top_5_accuracy")),
        (
            True,
            2,
            (
                *("loss", "accuracy", "true_positives", "false_positives", "true_negatives", "false_negatives"),
                *("precision", "recall", "auc", "prc"),
            ),
        ),
    ],
)
def test_what_is_measured(binary: bool, classes: int, names: tuple[str, ...]) -> None:
    """A mode and a number of classes -> the metrics kept: top 5 only above five classes, counts only for two."""
    assert metrics.metric_names(binary, classes) == names
