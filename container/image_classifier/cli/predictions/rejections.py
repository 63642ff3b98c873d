"""Images without an answer: each reason is printed once, at its first image, and the others are counted."""

from image_classifier.cli.predictions import outcomes
from image_classifier.cli.predictions.image_files import ImageFile
from image_classifier.cli.terminal import consoles
from image_classifier.contract.errors import ExplainedError
from image_classifier.contract.names import listed, on_one_line


class Rejections:
    """The images that a server rejected, or for which it failed."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}
        self.exit_code = 0
        """Of the command that asked: the largest of the errors."""

    def add(self, image: ImageFile, error: ExplainedError) -> None:
        """Count an image, and print the error if no image before had the same, but for the name of the image."""
        name = str(image.path)
        names = self._names.setdefault(str(error).replace(name, "", 1), [])
        names.append(on_one_line(name))
        self.exit_code = max(self.exit_code, outcomes.exit_code(error))
        if len(names) == 1:
            consoles.report_and_exit_code(error)

    def print_others(self) -> None:
        """Print a line for each reason with the images that had it after the first."""
        for first, *others in self._names.values():
            if others:
                images = "1 other image" if len(others) == 1 else f"{len(others):,} other images"
                text = f"The error of {first} is that of {images} too: {listed(others)}."
                consoles.print_text(consoles.errors(), text)
