"""A child process that fits heads, so that the console stays small: one request and one answer per line, in JSON.

It keeps the features and the first head of the last result, so that the next correction costs one fit, and exits when
its input ends or nothing was asked for a while.
"""

import json
import select
import sys
from pathlib import Path
from typing import Any

from image_classifier.console.judging import refit
from image_classifier.console.judging.corrections import Corrections, Refit
from image_classifier.console.judging.refit import Before
from image_classifier.contract.errors import ExplainedError
from image_classifier.evaluation import archive, typed_json
from image_classifier.evaluation.evidence import Evidence

IDLE_SECONDS = 600.0


class Fitting:
    """The last result, ready for corrections."""

    def __init__(self) -> None:
        self._key: tuple[str, str] | None = None
        self._kept: tuple[Evidence, Before] | None = None

    def answer(self, request: dict[str, Any]) -> Refit | None:
        """Return what the corrections of a request change; None if it has none, and only asks to get ready for some.

        Raises:
            UserError: See `refit`.
        """
        file, key = Path(request["file"]), (request["file"], request["stamp"])
        if self._kept is None or key != self._key:
            self._kept = None
            evidence = archive.read(file).evaluation.evidence
            self._kept = evidence, refit.prepare(evidence, lambda split: archive.features(file, split))
            self._key = key
        if "corrections" not in request:
            return None
        corrections: Corrections = typed_json.unpack(Corrections, request["corrections"], {})
        return refit.measure(*self._kept, corrections)


def main() -> None:
    """Answer requests from standard input until it ends."""
    fitting = Fitting()
    while select.select([sys.stdin], [], [], IDLE_SECONDS)[0]:
        line = sys.stdin.readline()
        if not line:
            return
        try:
            found = fitting.answer(json.loads(line))
            answer = {"refit": None if found is None else typed_json.pack(found, {})}
        except ExplainedError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
