"""Read from a model folder what the familiarity of images is computed from."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from image_classifier import artifacts
from image_classifier.contract.errors import first_line

if TYPE_CHECKING:
    from image_classifier.evaluation.familiarity import FamiliarityModel


def load(folder: Path) -> "FamiliarityModel | None":
    """Load it; None for a model folder without the file.

    Raises:
        UserError: The file is corrupt.
    """
    path = folder / artifacts.FAMILIARITY_FILE
    if not path.is_file():
        return None
    # A server of a model without the file starts without these.
    from image_classifier.evaluation import array_file, familiarity

    arrays = array_file.read(path)
    try:
        model = familiarity.from_arrays(arrays).widened()
        # Shows whether the shapes fit together.
        model.score(np.zeros((1, len(model.origin)), np.float32))
    except KeyError as error:
        raise array_file.corrupt(path, f"the array {error} is missing") from error
    except (ValueError, TypeError, IndexError) as error:
        raise array_file.corrupt(path, first_line(error)) from error
    return model
