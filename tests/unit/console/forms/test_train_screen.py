"""The Train screen: the form in the address, mistakes at their fields, the start, and what a job is made of."""

import re
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient
from PIL import Image

from image_classifier.console.context import Console
from image_classifier.console.datasets import known, labels
from image_classifier.console.datasets.labels import Action, Edit
from image_classifier.console.forms import train_form
from image_classifier.contract.hyperparameters import DECLARATIONS
from image_classifier.model_hub import packages
from image_classifier.runners.experiment import LOCAL, SAGEMAKER
from tests.support.consoles import client_of, make_console
from tests.support.scripted_runner import ScriptedRunner


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    """Return a console with one data set, whose jobs only exist as files."""
    monkeypatch.setenv(packages.CACHE_VARIABLE, str(tmp_path / "cache"))
    runner = ScriptedRunner()
    found = make_console(tmp_path, runners={LOCAL: runner, SAGEMAKER: runner})
    for name in ("ants", "bees"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(3):
            Image.new("RGB", (8, 8)).save(tmp_path / "photos" / name / f"{index}.png")
    known.add(found.home, "my photos", {"training": tmp_path / "photos"})
    return found


@pytest.fixture
def client(console: Console) -> FlaskClient:
    """Return a browser of that console."""
    return client_of(console)


def key_of(console: Console) -> str:
    """Return the key of its data set."""
    return known.every(console.home)[0].key


def mistakes(text: str) -> list[str]:
    """Return the sentences at the fields of a page."""
    return [unescape(found) for found in re.findall(r'<p class="mistake">([^<]*)</p>', text)]


def test_every_hyperparameter_has_a_field_except_those_that_the_model_stands_for(client: FlaskClient) -> None:
    """Given the form -> a field for each declared hyperparameter, with its default beside it."""
    text = client.get("/train").text
    names = set(re.findall(r'name="([a-z_0-9]+)"', text))
    assert {one.name for one in DECLARATIONS} - names == set(train_form.LOCATED)
    assert text.count("(for every model)") > 5
    assert text.count("Default: chosen by the recipe") == sum(one.chosen_by_recipe for one in DECLARATIONS)


def test_auto_is_preselected_unless_a_value_is_given_that_it_chooses(client: FlaskClient) -> None:
    """Given no recipe -> auto; given epochs alone -> builtin, as the command does."""
    assert 'value="auto" checked' in client.get("/train").text
    assert 'value="builtin" checked' in client.get("/train?epochs=10").text


def test_defaults_of_the_chosen_model_are_named_as_such(client: FlaskClient) -> None:
    """Given a large model -> its own defaults stand beside their fields."""
    text = client.get("/train?model=efficientnet-b7&recipe=builtin").text
    assert "4 (for this model)" in text
    assert "True (for this model)" in text


def test_every_mistake_is_shown_at_its_field_at_once(client: FlaskClient, console: Console) -> None:
    """Given wrong values, a contradiction, a bad name and missing options -> a sentence at each field, and no job."""
    form = {
        **{"data": key_of(console), "recipe": "builtin", "epochs": "0", "eval_metric": "auc", "name": "a b"},
        **{"runner": "sagemaker", "sagemaker.spot": "perhaps", "price": "cheap", "model": "lite9"},
    }
    answer = client.post("/train", data=form)
    assert answer.status_code == 400
    text = answer.text
    for field, words in {
        "epochs": "epochs is &#39;0&#39;",
        "eval_metric": "only measured in binary mode",
        "name": "name is",
        "sagemaker-spot": "allowed: True or False",
        "price": "allowed: a number",
        "model": "lite9",
    }.items():
        assert f'href="#field-{field}"' in text
        assert f'id="field-{field}"' in text
        assert words in text
    assert len(mistakes(text)) == 6
    assert console.queue.jobs() == ()


def test_what_sagemaker_needs_is_asked_for_at_its_fields(client: FlaskClient, console: Console) -> None:
    """Given SageMaker without image and role -> both fields say what is missing, before the start only on request."""
    form = {"data": key_of(console), "runner": "sagemaker"}
    assert mistakes(client.get("/train", query_string=form).text) == []
    found = mistakes(client.post("/train", data=form).text)
    assert [sentence.split(":")[0] for sentence in found] == ["image", "role"]


def test_a_form_without_data_says_so(client: FlaskClient) -> None:
    """Given no data set, and one that is gone -> the field of the data says it, and what was typed stays."""
    text = client.post("/train", data={"max_runtime": "77"}).text
    assert mistakes(text) == ["Choose the images to train on."]
    assert 'value="77"' in text
    assert mistakes(client.post("/train", data={"data": "gone"}).text) == ["The data set gone is unknown."]


def test_start_writes_the_experiment_and_leads_to_the_job(client: FlaskClient, console: Console) -> None:
    """Given a data set and nothing else -> a queued job with recipe=auto and the recommended model, named after it."""
    answer = client.post("/train", data={"data": key_of(console)})
    assert (answer.status_code, answer.headers["Location"]) == (303, "./jobs/my-photos")
    (job,) = console.queue.jobs()
    assert job.experiment.hyperparameters == {"recipe": "auto"}
    assert job.experiment.model == "lite0"
    assert job.experiment.training == known.every(console.home)[0].channels["training"]
    assert client.post("/train", data={"data": key_of(console)}).headers["Location"] == "./jobs/my-photos-2"


def test_a_taken_name_is_a_mistake_at_its_field(client: FlaskClient, console: Console) -> None:
    """Given the name of another job -> a sentence with a free name, and no second job."""
    form = {"data": key_of(console), "name": "mine"}
    assert client.post("/train", data=form).status_code == 303
    answer = client.post("/train", data=form)
    assert answer.status_code == 400
    assert "such as mine-2" in answer.text
    assert len(console.queue.jobs()) == 1


def test_edited_labels_give_the_job_folders_of_its_own(client: FlaskClient, console: Console, tmp_path: Path) -> None:
    """Given a data set with a moved image -> the job trains on a view with the new label; the files stay."""
    key = key_of(console)
    labels.edit(console.home, key, Edit(Action.MOVE, ("training/ants/0.png",), "bees"), based_on=0)
    assert "1 edited labels" in client.get(f"/train?data={key}").text
    client.post("/train", data={"data": key})
    (job,) = console.queue.jobs()
    folder = Path(job.experiment.training)
    assert folder.is_relative_to(console.home)
    assert len(list((folder / "bees").iterdir())) == 4
    assert (tmp_path / "photos" / "ants" / "0.png").exists()
    cloned = client.get(f"/train?clone={job.name}")
    assert f"data={key}" in cloned.headers["Location"]


def test_a_job_can_be_repeated_and_continued(client: FlaskClient, console: Console) -> None:
    """Given an earlier job -> a form with its data and settings, and one that starts from its model."""
    client.post("/train", data={"data": key_of(console), "max_runtime": "600", "model": "mobilenetv2-160"})
    (job,) = console.queue.jobs()
    again = client.get(f"/train?clone={job.name}").headers["Location"]
    for part in (f"data={key_of(console)}", "model=mobilenetv2-160", "max_runtime=600", "recipe=auto"):
        assert part in again
    further = unescape(client.get(urljoin("/train", client.get(f"/train?further={job.name}").headers["Location"])).text)
    assert f"<option selected>{job.folder}/model</option>" in further


def test_the_address_holds_the_whole_form(client: FlaskClient, console: Console) -> None:
    """Given a form -> its parameters read back as the same form, with names that belong to no field left out."""
    given = {"data": key_of(console), "runner": "sagemaker", "sagemaker.instance_type": "ml.c5.xlarge", "epochs": "2"}
    form = train_form.of_parameters({**given, "recipe": "builtin", "nonsense": "1", "price": " 0.2 "})
    assert train_form.of_parameters(form.parameters()) == form
    assert "nonsense" not in form.parameters()
    assert form.parameters()["price"] == "0.2"


@pytest.mark.parametrize("code", ["shell", "docker", "sdk3", "sdk2", "boto3", "toml"])
def test_the_same_in_code_is_of_exactly_this_form(code: str, client: FlaskClient, console: Console) -> None:
    """Given each form of code -> it holds the typed value; an invalid one is left out instead of failing the page."""
    address = f"/train?data={key_of(console)}&recipe=builtin&epochs=17&batch_size=nonsense&code={code}"
    text = unescape(client.get(address).text.split('id="snippet">')[1].split("</code>")[0])
    assert "epochs" in text
    assert "17" in text
    assert "nonsense" not in text


def test_hostile_names_are_shown_and_not_executed(console: Console, tmp_path: Path) -> None:
    """Given a data set and parameters with markup -> the page shows them as text."""
    name = "<script>alert(1)</script>"
    (tmp_path / name / "a").mkdir(parents=True)
    (tmp_path / name / "b").mkdir()
    data_set = known.add(console.home, name, {"training": tmp_path / name})
    text = client_of(console).get(f"/train?data={data_set.key}&name=%3Cimg%3E&model=%3Cb%3E&epochs=%22%3E").text
    assert "<script>alert" not in text
    assert "<img>" not in text
    assert "&lt;b&gt;" in text
