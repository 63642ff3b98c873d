"""The declaration of a hyperparameter: the single source for parser, messages, reference pages and API payloads."""

import dataclasses
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

Value = bool | int | float | str
T = TypeVar("T", bool, int, float, str)
_METADATA = "declaration"


class Group(enum.StrEnum):
    """What hyperparameters have in common, in the order in which a form shows them; the value is the title."""

    RECIPE = "Recipe and epochs"
    MODEL = "Model"
    OPTIMIZER = "Optimizer"
    HEAD = "Head and loss"
    AUGMENTATION = "Augmentation"
    DATA = "Data"
    JOB = "Job and output"


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """One hyperparameter; its type is the type of its default: bool, int, float or str."""

    name: str
    default: Value
    meaning: str
    minimum: float | None = None
    maximum: float | None = None
    """Both bounds are inclusive."""
    excluded: Mapping[Value, str] = field(default_factory=dict)
    """Invalid values within the bounds, each with the reason."""
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    """Alternative names, with underscores; hyphens are accepted too."""
    tunable: tuple[float, float] | tuple[str, ...] = ()
    """The built-in algorithm's range or values of a tuning job; empty: not tunable there."""
    recommended: tuple[float, float] | tuple[str, ...] = ()
    """The range or values that a search for the head's hyperparameters should use; empty: not worth searching."""
    logarithmic: bool = False
    """Whether the recommended range is searched on a logarithmic scale."""
    group: Group | None = None
    """None: options that a form shows as they are."""
    since: str
    builtin: bool = True
    """Whether it is a hyperparameter of the built-in algorithm."""
    may_change_on_resume: bool = False
    """Whether a job may resume from a checkpoint with another value, since it does not affect an epoch's result."""
    from_model: bool = True
    """Whether a model may supply its default; not for properties of the job, its data or its trust in the model."""
    chosen_by_recipe: bool = False
    """Whether recipe=auto chooses the value, so that the user may give the default alone."""
    builtin_default: Value | None = None
    """JumpStart's default where it differs from ours, which is that of the developer guide."""

    @property
    def kind(self) -> type:
        """The Python type of the value."""
        return type(self.default)

    @property
    def allowed(self) -> str:
        """The allowed values in a few words."""
        if self.kind is bool:
            return "True or False"
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.kind is str:
            return "text"
        noun = "an integer" if self.kind is int else "a number"
        bounds = f"of at least {self.minimum:g}"
        if self.maximum is not None:
            bounds = f"from {self.minimum:g} to {self.maximum:.10g}"
        return f"{noun} {bounds}{''.join(f', but not {value:g}' for value in self.excluded)}"


def declare(default: T, *, meaning: str, since: str, **details: Any) -> T:
    """Return the dataclass field that holds a declaration; `details` are further fields of `Declaration`."""
    declared = Declaration(name="", default=default, meaning=meaning, since=since, **details)
    made: T = field(default=default, metadata={_METADATA: declared})
    return made


def declarations_of(declaring: type) -> tuple[Declaration, ...]:
    """Return the declarations of a dataclass whose fields come from `declare`, in order."""
    return tuple(
        dataclasses.replace(made.metadata[_METADATA], name=made.name) for made in dataclasses.fields(declaring)
    )
