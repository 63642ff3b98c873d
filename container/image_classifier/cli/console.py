"""`scripts/console`: the console on this machine."""

import sys

from image_classifier.cli.terminal import command
from image_classifier.console.start import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(command.run(main))
