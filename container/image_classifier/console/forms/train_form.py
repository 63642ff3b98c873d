"""The form of an experiment, as it stands in the address of the Train screen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from image_classifier.cloud.sagemaker import options as sagemaker_options
from image_classifier.contract import contradictions, hyperparameters
from image_classifier.contract.declaration import Declaration
from image_classifier.contract.hyperparameters import DECLARATIONS
from image_classifier.contract.parsing import Resolved
from image_classifier.model_hub import catalogue
from image_classifier.runners import docker
from image_classifier.runners.experiment import DOCKER, LOCAL, RUNNERS, SAGEMAKER

FIRST = (contradictions.RECIPE, "max_runtime")
"""The hyperparameters that are always shown; with the model they are the three that matter most.

Not `epochs`: with recipe=auto, the preselected one, the job chooses its epochs, and a given value is rejected. A time
budget holds for every recipe and runner, and is what a user knows: how long to wait.
"""
LOCATED = ("model_id", "model_uri")
"""Hyperparameters that the field of the model stands for."""
_OF_DOCKER = {
    "image": f"Docker image of the job; default: {docker.DEFAULT_IMAGE}, which scripts/build --target cpu makes.",
    "gpus": "GPUs of the container, such as all.",
    "memory": "Memory limit of the container, such as 8g.",
    "network": "Network of the container, such as none.",
}
OPTIONS = {
    LOCAL: (),
    DOCKER: tuple(
        Declaration(name=name, default="", meaning=_OF_DOCKER[name], builtin=False, since="0.5")
        for name in docker.OPTIONS
    ),
    SAGEMAKER: sagemaker_options.DECLARATIONS,
}
"""The declared options of each runner."""
_LONGEST = 4000


@dataclass(frozen=True)
class TrainForm:
    """What the fields hold; an empty text is a field that was left empty."""

    data: str = ""
    """Key of a data set."""
    name: str = ""
    """Of the job; empty: after the data set."""
    model: str = ""
    """Short name or id of the catalogue, a path or an s3:// URI."""
    runner: str = LOCAL
    given: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Hyperparameters that were typed or chosen."""
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Options of the runner that were typed or chosen."""
    price: str = ""
    """Of an instance for an hour, in any currency."""
    code: str = ""
    """Which form of the same in code is shown."""

    @property
    def model_name(self) -> str:
        """The model that a job of this form starts from."""
        return self.model or catalogue.MODELS[catalogue.RECOMMENDED].short_name

    @property
    def model_defaults(self) -> Mapping[str, str]:
        """Defaults of the model where they differ from the declared ones; empty for one outside the catalogue."""
        found = catalogue.MODELS.get(catalogue.SHORT_NAMES.get(self.model_name, self.model_name))
        return found.hyperparameters if found else MappingProxyType({})

    def resolve(self) -> Resolved:
        """Return the value and source of every hyperparameter of a job of this form, with what is wrong with them."""
        return hyperparameters.resolve(dict(self.given), dict(self.model_defaults))

    def parameters(self, **changes: str) -> dict[str, str]:
        """Return the form as parameters of an address, after some changes; empty ones are left out."""
        own = {name: getattr(self, name) for name in _OWN}
        options = {f"{self.runner}.{name}": value for name, value in self.options.items()}
        return {name: value for name, value in {**own, **self.given, **options, **changes}.items() if value}


_OWN = ("data", "name", "model", "runner", "price", "code")


def of_parameters(given: Mapping[str, str]) -> TrainForm:
    """Return the form of an address or of a sent form; parameters that it does not know are left out.

    Without a recipe it is auto, unless a hyperparameter is given that auto chooses itself.
    """
    written = {name: value.strip()[:_LONGEST] for name, value in given.items() if value.strip()}
    typed = {declared.name: written[declared.name] for declared in DECLARATIONS if declared.name in written}
    if contradictions.RECIPE not in typed:
        typed[contradictions.RECIPE] = _recipe(typed)
    runner = written.get("runner", LOCAL)
    runner = runner if runner in RUNNERS else LOCAL
    options = {
        declared.name: value
        for declared in OPTIONS[runner]
        if (value := written.get(f"{runner}.{declared.name}")) is not None
    }
    own = {name: written[name] for name in _OWN if name in written and name != "runner"}
    return TrainForm(**own, runner=runner, given=MappingProxyType(typed), options=MappingProxyType(options))


def _recipe(given: Mapping[str, str]) -> str:
    auto = {**given, contradictions.RECIPE: contradictions.AUTO}
    clashing = any(problem.name == contradictions.RECIPE for problem in hyperparameters.resolve(auto).problems)
    return contradictions.BUILTIN if clashing else contradictions.AUTO


def unused(form: TrainForm) -> Sequence[str]:
    """Return the given hyperparameters that have their default anyway, which the shortest command leaves out."""
    resolved = form.resolve()
    defaults = hyperparameters.resolve({}, dict(form.model_defaults))
    wrong = {problem.name for problem in resolved.problems}
    return [
        name
        for name in form.given
        if name != contradictions.RECIPE and name not in wrong and resolved.values[name] == defaults.values[name]
    ]
