"""Traits of the job's images, read by a child process of low priority from the moment that they are listed.

While a job imports TensorFlow and loads its backbone, all CPUs but one are idle. What is left runs beside training on
what it leaves, and the report waits for the rest. What reads traits is imported by the child, once its priority is
low, and by the report, not at the start of the job.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from image_classifier.contract.errors import first_line
from image_classifier.resources.processors import available_processors
from image_classifier.training.export import child_process
from image_classifier.training.export.child_process import Child, ChildFailed, ChildKilled, Interrupted
from image_classifier.training.progress import log
from image_classifier.training.stopping import StopSignal

if TYPE_CHECKING:
    from image_classifier.evaluation.traits import Traits
    from image_classifier.training.data.splits import DataSplits

NICE = 10
_RESULT = "traits.npz"


class TraitReader:
    """Traits of images that a child process reads."""

    def __init__(self, child: Child, folder: Path, paths: Sequence[Path]) -> None:
        self._child, self._folder, self._paths = child, folder, paths

    def end(self) -> None:
        """End the process: a job that stops needs its CPUs and its disk."""
        self._child.end()

    def wait(self, stop: StopSignal, check: Callable[[], None]) -> Mapping[Path, "Traits | None"]:
        """Return the traits of all images by their path; of none if the process failed, and the log says why.

        `check` is called while it waits; may raise.
        """
        from image_classifier.evaluation import array_file, trait_file

        try:
            self._child.wait(stop, check)
            return dict(zip(self._paths, trait_file.read(self._folder / _RESULT), strict=True))
        except Interrupted:
            # The report ends at its next check.
            return {}
        except (ChildFailed, ChildKilled, KeyError, *array_file.UNREADABLE) as failure:
            log(f"The report reads the traits of the images again: {first_line(failure).rstrip('.')}.")
            return {}


@contextmanager
def reading(data: "DataSplits", folder: Path) -> Iterator[TraitReader | None]:
    """Read the traits of all images of the job while the block runs, with files in `folder`.

    None if the process cannot be started, for example for lack of memory: the report then reads them itself.
    """
    listings = [listing for listing in (data.training, data.validation, data.test) if listing]
    paths = list(dict.fromkeys(example.path for listing in listings for example in listing.examples))
    try:
        child = Child(__name__, folder, {"paths": list(map(str, paths))})
    except OSError as error:
        log(f"The report reads the traits of the images at the end: {first_line(error).rstrip('.')}.")
        yield None
        return
    with child:
        yield TraitReader(child, folder, paths)


def of_splits(
    paths: Mapping[str, Sequence[Path]], known: Mapping[Path, "Traits | None"], check: Callable[[], None]
) -> dict[str, list["Traits | None"]]:
    """Return the traits of images by the name of their split, from those that are known, else from their files."""
    from image_classifier.evaluation import traits

    missing = list(dict.fromkeys(path for split in paths.values() for path in split if path not in known))
    complete = {**known, **dict(zip(missing, traits.read(missing, check), strict=True))}
    return {name: [complete[path] for path in split] for name, split in paths.items()}


def _read(folder: Path, request: Mapping[str, Any]) -> None:
    os.nice(NICE)
    from image_classifier.evaluation import trait_file, traits

    # One CPU is the job's.
    found = traits.read([Path(path) for path in request["paths"]], threads=max(1, available_processors() - 1))
    trait_file.write(folder / _RESULT, found)


if __name__ == "__main__":
    sys.exit(child_process.run(_read, Path(sys.argv[1])))
