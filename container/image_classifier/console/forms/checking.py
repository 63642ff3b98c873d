"""Check a form before anything starts: an experiment, or every mistake at the field that holds it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from image_classifier.cloud.sagemaker import options as sagemaker_options
from image_classifier.console.forms.train_form import OPTIONS, TrainForm
from image_classifier.contract.declaration import Declaration
from image_classifier.contract.errors import ExplainedError, UserError
from image_classifier.contract.value_forms import decode
from image_classifier.runners import chosen_model, experiment
from image_classifier.runners.experiment import SAGEMAKER, Experiment

Mistakes = Mapping[str, Sequence[str]]
"""Sentences by the name of the field."""


@dataclass(frozen=True)
class Data:
    """The data set that was chosen."""

    key: str
    name: str
    channels: Mapping[str, str]
    """Folder by channel."""


@dataclass(frozen=True)
class Checked:
    """A form after its check."""

    mistakes: Mistakes
    experiment: Experiment | None
    """None: there are mistakes, or no data set is chosen."""


def check(form: TrainForm, data: Data | None) -> Checked:
    """Return the experiment of a form, or all of its mistakes."""
    found: dict[str, list[str]] = {}
    for name, text in (*_fields(form, data), *_runner(form)):
        sentences = found.setdefault(name, [])
        if text not in sentences:
            sentences.append(text)
    mistakes = MappingProxyType({name: tuple(texts) for name, texts in found.items()})
    return Checked(mistakes, None if mistakes or data is None else asked_for(form, data))


def asked_for(form: TrainForm, data: Data) -> Experiment:
    """Return the experiment of a form that has no mistakes."""
    channels = {name: data.channels[name] for name in experiment.CHANNELS if name in data.channels}
    options = {form.runner: MappingProxyType(dict(form.options))} if form.options else {}
    return Experiment(
        **{"training": "", **channels},
        name=form.name or experiment.name_from(data.name),
        model=form.model_name,
        hyperparameters=MappingProxyType(dict(form.given)),
        runner=form.runner,
        options=MappingProxyType(options),
    )


def _fields(form: TrainForm, data: Data | None) -> Iterator[tuple[str, str]]:
    if data is None:
        yield "data", "Choose the images to train on." if not form.data else f"The data set {form.data} is unknown."
    for problem in form.resolve().problems:
        yield problem.name, problem.text
    if form.name and (wrong := _name_problem(form.name)):
        yield "name", wrong
    if wrong := _model_problem(form):
        yield "model", wrong
    if form.price and (wrong := price_problem(form.price)):
        yield "price", wrong


def _name_problem(name: str) -> str:
    named = Experiment(name=name, training="folder")
    return next((text for text in experiment.problems(named) if text.startswith("name ")), "")


def _model_problem(form: TrainForm) -> str:
    if experiment.is_s3(form.model_name):
        return ""
    try:
        chosen_model.choose(form.model_name, {})
    except ExplainedError as error:
        return str(error)
    return ""


def price_problem(text: str) -> str:
    """Return what is wrong with a price; empty if nothing is."""
    try:
        if 0 <= float(text) < math.inf:
            return ""
    except ValueError:
        pass
    return f"price is {text!r}; allowed: a number of at least 0, such as 0.23."


def option_problems(form: TrainForm) -> list[tuple[str, str]]:
    """Return the field and a sentence for each option of the runner that is invalid, and for contradictions."""
    found = [
        (f"{form.runner}.{declared.name}", wrong)
        for declared in OPTIONS[form.runner]
        if (written := form.options.get(declared.name)) is not None and (wrong := _option_problem(declared, written))
    ]
    if found or form.runner != SAGEMAKER:
        return found
    try:
        sagemaker_options.parse(form.options)
    except UserError as error:
        return [(f"{SAGEMAKER}.{_named(line)}", line) for line in _lines(error)]
    return []


def _runner(form: TrainForm) -> Iterator[tuple[str, str]]:
    found = option_problems(form)
    yield from found
    if form.runner == SAGEMAKER and not found:
        for line in sagemaker_options.missing(sagemaker_options.parse(form.options)):
            yield f"{SAGEMAKER}.{_named(line)}", line


def _option_problem(declared: Declaration, written: str) -> str:
    try:
        decode(declared, written)
    except ValueError as reason:
        because = f", {reason}" if str(reason) else ""
        return f"{declared.name} is {written!r}{because}; allowed: {declared.allowed}."
    return ""


def _lines(error: UserError) -> list[str]:
    """Return the sentences of a message that lists several."""
    text = str(error)
    head, *items = text.split("\n- ")
    return items or [head.partition(": ")[2] or head]


def _named(sentence: str) -> str:
    """Return the option that a sentence begins with."""
    names = {declared.name for declared in sagemaker_options.DECLARATIONS}
    word = sentence.split(" ", 1)[0].rstrip(":")
    return word if word in names else next(iter(names & set(sentence.split())), "role")
