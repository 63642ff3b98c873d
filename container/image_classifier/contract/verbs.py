"""The words after a verb of the Docker image: --help is answered, and whatever else nothing reads is named.

The platform passes the verb alone. What people pass besides, such as `docker run IMAGE train epochs=3`, would
otherwise be a job with other values than they typed.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

_SHOWN = 200
"""Characters of the words that a message repeats."""


@dataclass(frozen=True)
class Verb:
    """A verb: what it does, and where its settings come from instead of words."""

    purpose: str
    settings: str
    examples: tuple[str, str]


VERBS = {
    "train": Verb(
        "Run one training job on the folder tree below /opt/ml: channels in, model and reports out.",
        "Hyperparameters are read from /opt/ml/input/config/hyperparameters.json: docs/reference/hyperparameters.md.",
        (
            'docker run --rm --volume "$PWD/run/job:/opt/ml" IMAGE train',
            'docker run --rm --gpus all --volume "$PWD/run/job:/opt/ml" IMAGE train',
        ),
    ),
    "serve": Verb(
        "Serve the model in /opt/ml/model over HTTP: GET /ping and POST /invocations on port 8080.",
        "Settings are read from environment variables: docs/reference/serving-settings.md.",
        (
            'docker run --rm --publish 127.0.0.1:8080:8080 --volume "$PWD/run/job/model:/opt/ml/model:ro" IMAGE serve',
            'docker run --rm --env SERVE_PRECISION=auto --volume "$PWD/run/job/model:/opt/ml/model:ro" IMAGE serve',
        ),
    ),
    "monitor": Verb(
        "Compare an endpoint's captured requests with the drift baseline of its model.",
        "Settings are read from environment variables: docs/reference/monitoring-settings.md.",
        (
            'docker run --rm --volume "$PWD/run/monitor:/opt/ml/processing" IMAGE monitor',
            'docker run --rm --env MONITOR_MAX_IMAGES=500 --volume "$PWD/run/drift:/opt/ml/processing" IMAGE monitor',
        ),
    ),
    "gate": Verb(
        "Read the figures of a training job for the conditions of a pipeline.",
        "It has no settings, and reads the archives of the job in folders below /opt/ml/processing/input.",
        (
            'docker run --rm --volume "$PWD/run/gate:/opt/ml/processing" IMAGE gate',
            'docker run --rm --volume "$PWD/run/gate:/opt/ml/processing" --network none IMAGE gate',
        ),
    ),
}


def answered(verb: str, words: Sequence[str]) -> bool:
    """Return whether the words asked for help, which is then printed; any other words are named on standard error."""
    known = VERBS[verb]
    if {"--help", "-h"} & set(words):
        examples = "\n".join(f"  {example}" for example in known.examples)
        print(f"usage: docker run IMAGE {verb}\n\n{known.purpose}\n{known.settings}\n\nexamples:\n{examples}")
        return True
    if words:
        print(f"WARNING: Not read: {' '.join(words)[:_SHOWN]!r}. {known.settings}", file=sys.stderr, flush=True)
    return False
