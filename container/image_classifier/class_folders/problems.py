"""Problems found before training, in one message."""

from collections.abc import Sequence
from dataclasses import dataclass

from image_classifier.contract.errors import ExplainedError, PlatformError, UserError


@dataclass(frozen=True)
class Problem:
    """A problem that prevents training: a sentence, and the owner of the error."""

    text: str
    owner: type[ExplainedError] = UserError


def raise_all(problems: Sequence[Problem]) -> None:
    """Raise one error that lists every problem: PlatformError if one of them is the platform's, else UserError.

    Raises:
        PlatformError, UserError: There is a problem.
    """
    if not problems:
        return
    owner: type[ExplainedError] = PlatformError if any(one.owner is PlatformError for one in problems) else UserError
    if len(problems) == 1:
        raise owner(problems[0].text)
    lines = "".join(f"\n- {one.text}" for one in problems)
    raise owner(f"{len(problems)} problems were found before training:{lines}")
