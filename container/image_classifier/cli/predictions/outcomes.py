"""What comes of each image that a server is asked about: its answer, or an error that concerns this image alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from image_classifier.cli.predictions.answers import Answer
from image_classifier.cli.predictions.image_files import ImageFile
from image_classifier.contract.errors import ExplainedError, UserError

MOST_FAILURES = 3
"""Images in a row at which a server that fails, and does not reject them, is asked no more."""
OF_THE_USER, OF_THE_SERVER = 1, 3
"""Exit codes; argparse has 2, for the words of a command."""
EXIT_CODES = (
    f"exit code: 0 if every image was answered; {OF_THE_USER} if the server rejected some, or the command is wrong;\n"
    f"  {OF_THE_SERVER} if the server, its platform or the network failed"
)
"""For the help of the commands."""


def of_images(
    images: Sequence[ImageFile],
    ask: Callable[[Path], Mapping[str, Any]],
    concerns_one_image: Callable[[ExplainedError], bool],
) -> Iterator[Answer | ExplainedError]:
    """Ask about the images in turn; yield the answer to each, or the error for which it has none.

    Raises:
        ExplainedError: It would be that of every further image, which are not asked about; or the server failed for
            `MOST_FAILURES` images in a row.
    """
    failures = 0
    for image in images:
        outcome: Answer | ExplainedError
        try:
            answer = ask(image.path)
        except ExplainedError as error:
            if not concerns_one_image(error):
                raise
            failures = 0 if isinstance(error, UserError) else failures + 1
            if failures == MOST_FAILURES:
                raise type(error)(
                    f"{error} It is the same for {failures} images in a row, so no more are sent."
                ) from error
            outcome = error
        else:
            failures, outcome = 0, Answer.of(image, answer)
        yield outcome


def exit_code(error: ExplainedError) -> int:
    """Return the exit code of a command that an error ended, by its owner."""
    return OF_THE_USER if isinstance(error, UserError) else OF_THE_SERVER
