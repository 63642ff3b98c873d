"""The Train screen: the form of an experiment, its estimate, and the same in code."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from image_classifier.console import context, links
from image_classifier.console.catalogue import availability
from image_classifier.console.estimating import estimates
from image_classifier.console.estimating.estimates import Estimates, EstimateState
from image_classifier.console.forms import (
    checking,
    data_choice,
    earlier_jobs,
    fields,
    same_in_code,
    sample_start,
    train_form,
)
from image_classifier.console.forms.checking import Checked
from image_classifier.console.forms.data_choice import DataChoice
from image_classifier.console.forms.train_form import TrainForm
from image_classifier.console.rejection import not_found
from image_classifier.contract import hyperparameters
from image_classifier.contract.contradictions import AUTO, BUILTIN, SEARCH
from image_classifier.contract.errors import ExplainedError
from image_classifier.model_hub import catalogue
from image_classifier.photographs import sample_sets
from image_classifier.resources import memory
from image_classifier.runners.experiment import DOCKER, LOCAL, SAGEMAKER, Experiment

RECIPES = {
    AUTO: (
        "Automatic",
        "Fits the head by cross-validation, then tunes the network only if that wins on your validation images.",
    ),
    BUILTIN: ("As the built-in algorithm", "Same defaults, same behaviour, comparable numbers."),
    SEARCH: ("Search", "Trains many heads on features that are computed once, and keeps the best hyperparameters."),
}
"""Title and sentence of each recipe."""
RUNNERS = {LOCAL: "This machine", DOCKER: "Docker", SAGEMAKER: "SageMaker"}
blueprint = Blueprint("train", __name__)


@blueprint.get("/train")
def main() -> str | Response:
    """Show the form that the address holds, or that of an earlier job to repeat or to continue."""
    queue = context.current().queue
    for name, form_of in (("clone", earlier_jobs.clone), ("further", earlier_jobs.further)):
        if name in request.args and (job := queue.find(request.args[name])):
            form = form_of(job.experiment, job.folder, data_choice.every(context.current().home))
            return links.see("train.main", **form.parameters())
    return _page(train_form.of_parameters(request.args), show_mistakes="check" in request.args)


@blueprint.post("/train")
def start() -> Response | tuple[str, int]:
    """Put a job into the queue, or show every mistake of the form at its field."""
    form, console = train_form.of_parameters(request.form), context.current()
    choice = data_choice.find(console.home, form.data)
    checked = checking.check(form, choice.data if choice else None)
    if checked.experiment is None or choice is None:
        return _page(form, show_mistakes=True), 400
    name = console.queue.free_name(form.name or choice.data.name)
    if form.name and name != form.name:
        taken = {"name": (f"A job named {form.name} exists. Choose another name, such as {name}.",)}
        return _page(form, show_mistakes=True, more=taken), 400
    try:
        channels = data_choice.channels_for(console.home, choice, name)
        job = console.queue.add(_on(checked.experiment, name, channels))
    except ExplainedError as error:
        return _page(form, show_mistakes=True, more={"": (str(error),)}), 400
    return links.see("jobs.one", name=job.name)


@blueprint.post("/train/sample")
def start_sample() -> Response:
    """Fetch sample data and queue a short job on it."""
    console = context.current()
    return links.see("train.sample", id_=sample_start.begin(console.home, console.queue))


@blueprint.get("/train/sample/<id_>")
def sample(id_: str) -> str | Response:
    """Show how far the sample data is, then lead to its job."""
    state = sample_start.state(context.current().home, id_)
    if state is None:
        raise not_found("This sample run", "Start another one on the Train screen.")
    if state.job:
        return links.see("jobs.one", name=state.job)
    return render_template("train/sample.html.j2", state=state, sample=sample_sets.find(sample_start.SAMPLE))


def _on(asked: Experiment, name: str, channels: Mapping[str, str]) -> Experiment:
    validation, test = channels.get("validation"), channels.get("test")
    return replace(asked, name=name, training=channels["training"], validation=validation, test=test)


@blueprint.post("/train/estimate")
def estimate() -> Response:
    """Start to measure what the estimate of a form needs."""
    form = train_form.of_parameters(request.form)
    choice = data_choice.find(context.current().home, form.data)
    resolved = form.resolve()
    if choice and not resolved.problems:
        _estimates().measure(choice.images, form.model_name, _values(form))
    return links.see("train.main", **form.parameters(), _anchor="estimate")


def _values(form: TrainForm) -> hyperparameters.Hyperparameters:
    return hyperparameters.parse(dict(form.given), dict(form.model_defaults)).values


def _estimates() -> Estimates:
    cache = context.current().cache
    return Estimates(cache / estimates.FOLDER)


def _estimate(form: TrainForm, choice: DataChoice | None) -> EstimateState | None:
    if choice is None or form.resolve().problems or not choice.can_train:
        return None
    return _estimates().state(choice.images, form.model_name, _values(form))


def _page(form: TrainForm, show_mistakes: bool, more: Mapping[str, tuple[str, ...]] | None = None) -> str:
    home = context.current().home
    choice = data_choice.find(home, form.data)
    checked = checking.check(form, choice.data if choice else None)
    checked = Checked({**checked.mistakes, **(more or {})}, checked.experiment)
    # What was typed is judged at once; that something is still missing only when the form was sent.
    typed = {*form.given, *(f"{form.runner}.{name}" for name in form.options), "model", "name", "price"}
    mistakes = {name: texts for name, texts in checked.mistakes.items() if show_mistakes or name in typed}
    return render_template(
        "train/main.html.j2",
        form=form,
        choice=choice,
        choices=data_choice.every(home),
        mistakes=mistakes,
        first=fields.first(form, mistakes),
        groups=fields.folded(form, mistakes),
        options=fields.options(form, mistakes),
        unused=train_form.unused(form),
        recipes=RECIPES,
        runners=RUNNERS,
        models=_models(),
        state=_estimate(form, choice),
        free_bytes=memory.available_bytes(),
        price=_price(form),
        machine_busy=any(job.is_live for job in context.current().queue.jobs()),
        **_code(form, choice),
    )


def _models() -> dict[str, list[str]]:
    """Return the short names of the catalogue by where they are, the recommended one first."""
    found: dict[str, list[str]] = {}
    for model in sorted(catalogue.MODELS.values(), key=lambda model: model.model_id != catalogue.RECOMMENDED):
        place = availability.place_of(model)
        title = "On this machine" if place.works_offline else "Fetched once, by staging"
        found.setdefault(title, []).append(model.short_name)
    return dict(sorted(found.items(), reverse=True))


def _price(form: TrainForm) -> float | None:
    return float(form.price) if form.price and not checking.price_problem(form.price) else None


def _code(form: TrainForm, choice: DataChoice | None) -> dict[str, Any]:
    """Return the same in code of the form as it is, with its mistakes left out, and which of it is shown."""
    data = choice.data if choice else checking.Data("", "my-images", {"training": "my-images"})
    wrong = {problem.name for problem in form.resolve().problems}
    valid = {name: value for name, value in form.given.items() if name not in wrong}
    options = {} if checking.option_problems(form) else form.options
    asked = checking.asked_for(replace(form, given=valid, options=options), data)
    snippets = same_in_code.snippets(asked)
    shown = next((one for one in snippets if one.key == form.code), snippets[0])
    return {"snippets": snippets, "snippet": shown}
