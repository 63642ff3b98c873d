"""The screens of the console: one module each, with its `blueprint`. Their logic lies in packages without Flask."""

from dataclasses import dataclass

from flask import Blueprint

from image_classifier.console.screens import data, jobs, models, result, train, try_deploy

BLUEPRINTS: tuple[Blueprint, ...] = (
    *(data.blueprint, models.blueprint, train.blueprint, jobs.blueprint, result.blueprint),
    try_deploy.blueprint,
)


@dataclass(frozen=True)
class Entry:
    """An entry of the navigation."""

    title: str
    blueprint: str
    """The entry is the current one on all pages of this blueprint; it leads to its endpoint `main`."""

    @property
    def endpoint(self) -> str:
        """The page that the entry leads to."""
        return f"{self.blueprint}.main"


NAVIGATION = (
    Entry("Data", data.blueprint.name),
    Entry("Models", models.blueprint.name),
    Entry("Train", train.blueprint.name),
    Entry("Jobs", jobs.blueprint.name),
    Entry("Results", result.blueprint.name),
    Entry("Try & deploy", try_deploy.blueprint.name),
)
