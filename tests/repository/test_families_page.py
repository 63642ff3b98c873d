"""The page of the families against the data that it is made of."""

import pytest

from image_classifier.inference.openvino_model.agreement import TOLERANCE
from image_classifier.model_hub import catalogue, measured
from tests.benchmarks import families
from tests.families import measured_models, page


def test_page_shows_the_data_of_the_run_that_is_kept() -> None:
    """The data in docs/reference -> the page beside it, word for word."""
    assert page.PAGE.read_text() == page.text(page.read())


def test_every_difference_could_have_shown() -> None:
    """Each network's answers -> they vary between images far more than engines may differ."""
    assert {name: row.spread for name, row in page.read().rows.items() if row.spread < 10 * TOLERANCE} == {}


def test_every_network_has_a_row_and_no_cell_is_empty() -> None:
    """The benchmark's cases -> one full row each, and an empty cell is found."""
    run = page.read()
    assert set(families.CASES) <= set(run.rows) <= set(families.ALL)
    assert page.empty_cells(run) == []
    broken = page.Run(run.machine, {"A": page.Row(**{**vars(run.rows["DeiT tiny"]), "openvino": ""})}, "")
    assert page.empty_cells(broken) == ["A.openvino"]
    assert all(
        cell.strip() for line in page.text(run).splitlines() if line[:1] == "|" for cell in line[1:-1].split("|")
    )


def test_program_ships_the_figures_of_the_run_that_is_kept() -> None:
    """Given the kept run -> the CSV that scripts/models reads, word for word; `families --page` writes it."""
    assert measured.DATA.read_text(encoding="utf-8") == measured_models.text(page.read())


def test_figures_belong_to_models_of_that_network() -> None:
    """Given each measured model -> its size and its parameters are those of the network that was measured."""
    rows = page.read().rows
    for network, names in measured_models.MODELS.items():
        for name in names:
            model, row = catalogue.find(name), rows[network]
            assert row.pixels == "{}x{}".format(*model.image_size)
            # The catalogue has three digits, mostly without the statistics of BatchNorm.
            assert row.parameters == pytest.approx(model.parameters, rel=0.03)
