"""The fields of the form, generated from the declarations: value, default and its source, allowed values, mistakes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from image_classifier.console.forms.train_form import FIRST, LOCATED, OPTIONS, TrainForm
from image_classifier.contract import parsing
from image_classifier.contract.declaration import Declaration, Group
from image_classifier.contract.hyperparameters import DECLARATIONS
from image_classifier.contract.value_forms import encode


@dataclass(frozen=True)
class Field:
    """One field."""

    name: str
    """Of the form and of its element's id."""
    title: str
    value: str
    """What was typed or chosen; empty: the default."""
    default: str
    """What an empty field means, with its source, such as `32 (for every model)`."""
    meaning: str
    allowed: str
    choices: tuple[str, ...]
    """Empty: any text or number."""
    is_number: bool
    mistakes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether it was filled in."""
        return bool(self.value)


@dataclass(frozen=True)
class FieldGroup:
    """The fields below one title."""

    title: str
    fields: tuple[Field, ...]

    @property
    def changed(self) -> int:
        """How many of them were filled in."""
        return sum(field.changed for field in self.fields)

    @property
    def wrong(self) -> int:
        """How many of them have a mistake."""
        return sum(bool(field.mistakes) for field in self.fields)


def first(form: TrainForm, mistakes: Mapping[str, Sequence[str]]) -> dict[str, Field]:
    """Return the fields that are always shown, by name."""
    return {name: field for name, field in _hyperparameters(form, mistakes).items() if name in FIRST}


def folded(form: TrainForm, mistakes: Mapping[str, Sequence[str]]) -> list[FieldGroup]:
    """Return all other hyperparameters in their groups."""
    found = _hyperparameters(form, mistakes)
    hidden = {*FIRST, *LOCATED}
    groups = {
        group: tuple(found[one.name] for one in DECLARATIONS if one.group is group and one.name not in hidden)
        for group in Group
    }
    return [FieldGroup(group.value, fields) for group, fields in groups.items() if fields]


def options(form: TrainForm, mistakes: Mapping[str, Sequence[str]]) -> list[Field]:
    """Return the fields of the chosen runner; their names begin with the runner's."""
    return [
        _field(declared, f"{form.runner}.{declared.name}", form.options.get(declared.name, ""), "", mistakes)
        for declared in OPTIONS[form.runner]
    ]


def _hyperparameters(form: TrainForm, mistakes: Mapping[str, Sequence[str]]) -> dict[str, Field]:
    by_default = parsing.resolve(DECLARATIONS, _recipe_of(form), dict(form.model_defaults))
    return {
        declared.name: _field(
            declared, declared.name, form.given.get(declared.name, ""), _default(declared, by_default), mistakes
        )
        for declared in DECLARATIONS
    }


def _recipe_of(form: TrainForm) -> dict[str, str]:
    return {name: value for name, value in form.given.items() if name == "recipe"}


def _default(declared: Declaration, resolved: parsing.Resolved) -> str:
    source = resolved.sources[declared.name]
    if source == parsing.CHOSEN:
        return "chosen by the recipe"
    value = encode(resolved.values[declared.name]) or "none"
    return f"{value} ({'for this model' if source == parsing.MODELS_DEFAULT else 'for every model'})"


def _field(declared: Declaration, name: str, value: str, default: str, mistakes: Mapping[str, Sequence[str]]) -> Field:
    choices = ("True", "False") if declared.kind is bool else declared.choices
    # One choice is selected in any spelling.
    value = next((choice for choice in choices if choice.lower() == value.lower()), value)
    return Field(
        name=name,
        title=declared.name.replace("_", " "),
        value=value,
        default=default or encode(declared.default) or "none",
        meaning=declared.meaning,
        allowed=declared.allowed,
        choices=choices,
        is_number=declared.kind in (int, float),
        mistakes=tuple(mistakes.get(name, ())),
    )
