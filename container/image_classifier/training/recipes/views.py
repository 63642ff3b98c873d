"""Features of flipped or cropped copies of the images: a feature pass each, kept with the job's other features."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from image_classifier import imaging
from image_classifier.contract.errors import PlatformError
from image_classifier.training import preparation
from image_classifier.training.data.decoding import Decoder, Pixels
from image_classifier.training.preparation import Prepared
from image_classifier.training.recipes.enrichments import View
from image_classifier.training.recipes.inputs import Inputs

CROP = 0.875
"""Share of height and width that a crop keeps, the middle: Inception's and TF-Slim's evaluation crop."""


@dataclass(frozen=True)
class ViewDecoder(Decoder):
    """Decodes a copy of each image."""

    view: View = View.FLIPPED

    def _pixels(self, content: bytes) -> Pixels:
        if self.view is View.FLIPPED:
            return super()._pixels(content)[:, ::-1]
        height, width = self.size
        larger = round(height / CROP), round(width / CROP)
        top, left = (larger[0] - height) // 2, (larger[1] - width) // 2
        pixels = imaging.load_pixels(content, larger, self.resize_method)
        return pixels[top : top + height, left : left + width]


@dataclass(frozen=True)
class Views:
    """Features of copies, computed when they are needed first. Every call is collective."""

    inputs: Inputs
    _known: dict[tuple[View, str], NDArray[np.float32]] = field(default_factory=dict)

    def training(self, view: View) -> NDArray[np.float32]:
        """Return the features of copies of the training images, (n, D).

        Raises:
            JobStopped: The job was stopped meanwhile.
            PlatformError: An image that was readable is so no longer.
        """
        return self._features(view, "training", self.inputs.training)

    def validation(self, view: View) -> NDArray[np.float32]:
        """Return the same of the validation images."""
        return self._features(view, "validation", self.inputs.validation)

    def _features(self, view: View, name: str, part: Prepared) -> NDArray[np.float32]:
        if (view, name) not in self._known:
            self._known[view, name] = self._computed(view, name, part)
        return self._known[view, name]

    def _computed(self, view: View, name: str, part: Prepared) -> NDArray[np.float32]:
        inputs = self.inputs
        values = replace(inputs.values, train_only_top_layer=True)
        folder = inputs.checkpoints_dir / f"{preparation.FEATURES}-{view}" if inputs.checkpoints_dir else None
        decoder = ViewDecoder(inputs.backbone.info.image_size, values.image_resize_interpolation, view=view)
        prepare = preparation.prepare_function(
            inputs.backbone, values, inputs.session, inputs.prepared.network, folder, decoder
        )
        copies = prepare(part.listing, f"{name.capitalize()} images, {view}")
        if len(copies.rows) != len(part.rows):
            raise PlatformError(
                f"{copies.skipped_before[0].path} was readable when the job started and is not any more: "
                f"{copies.skipped_before[0].reason} Keep the images unchanged while a job runs."
            )
        return np.asarray(copies.rows.inputs)
