"""The finished trials of a search in one durable file, from which a killed job resumes with the same draws.

The file is a line with the sha256 of the rest, then JSON: the identity of the search, and its trials in order.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from image_classifier import durable_files
from image_classifier.contract.declaration import Value
from image_classifier.training.progress import log
from image_classifier.training.recipes.trial import FINISHED, Outcome, Score

NAME = "search.trials"
"""Name of the file, beside the checkpoints."""


@dataclass(frozen=True)
class Trial:
    """A trial that ran to its end, or until it was pruned or diverged."""

    number: int
    """From 0, which has the job's own values."""
    values: Mapping[str, Value]
    """Of the searched hyperparameters."""
    outcome: Outcome

    @property
    def score(self) -> Score | None:
        """What the trial is judged by; None when the loss diverged in the first epoch."""
        return self.outcome.score

    @property
    def objective(self) -> float:
        """What the search maximises; minus infinity without a score."""
        return self.score.objective if self.score else float("-inf")

    @property
    def finished(self) -> bool:
        """Whether the last epoch was reached."""
        return self.outcome.state == FINISHED


@dataclass(frozen=True)
class TrialStore:
    """The trials of one search, in a folder."""

    folder: Path
    identity: str
    """Equal for searches whose trials are equal."""

    def read(self) -> list[Trial]:
        """Return the trials of an earlier run; none, and a line in the log, if the file is corrupt or another's."""
        path = self.folder / NAME
        try:
            checksum, _, content = path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            log(f"The trials in {path} cannot be read ({error.strerror}); searching from scratch.")
            return []
        if hashlib.sha256(content).hexdigest().encode() != checksum:
            log(f"The trials in {path} are corrupt; searching from scratch.")
            return []
        found = json.loads(content)
        if found["search"] != self.identity:
            log(f"The trials in {path} are of other data or hyperparameters; searching from scratch.")
            return []
        return [_trial(one) for one in found["trials"]]

    def write(self, trials: Sequence[Trial]) -> None:
        """Replace the file atomically.

        Raises:
            OSError: The disk is full or not writable; the error names the file.
        """
        content = json.dumps({"search": self.identity, "trials": [asdict(one) for one in trials]}).encode()
        self.folder.mkdir(parents=True, exist_ok=True)
        durable_files.write_bytes(self.folder / NAME, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
        durable_files.sync_names(self.folder)


def _trial(one: Mapping[str, Any]) -> Trial:
    outcome = one["outcome"]
    scores = tuple(Score(**score) for score in outcome["scores"])
    return Trial(one["number"], one["values"], Outcome(scores, outcome["state"], outcome["seconds"]))
