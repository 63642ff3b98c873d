"""The head of an earlier job (warm start) as a candidate: kept where it beats the new one on the validation images.

Not on the training images: it may have been fitted on them.
"""

from dataclasses import asdict, replace

from image_classifier.heads.linear_head import LinearHead
from image_classifier.training.progress import log
from image_classifier.training.recipes import candidates, choice
from image_classifier.training.recipes.head_stage import FittedHead
from image_classifier.training.recipes.inputs import Inputs
from image_classifier.training.recipes.record import EarlierRecord

_SEEN = (
    "WARNING: The head of the earlier job is better on the validation images, which were split off from this job's: if "
    "the earlier job had some of them, it was fitted on them, and looks better than it is. Give a validation channel "
    "with images that neither job trains on."
)


def considered(inputs: Inputs, fitted: FittedHead) -> FittedHead:
    """Return `fitted` with the earlier head if there is one and it wins by the rule of stage 2. Collective."""
    kept = inputs.backbone.head
    if kept is None:
        return fitted
    earlier, rows = LinearHead(kept.kernel, kept.bias), inputs.validation.rows
    new, old = (candidates.predictions(head, rows).outputs for head in (fitted.head, earlier))
    compared = choice.compare(new, old, rows.labels)
    record = EarlierRecord(
        kept=compared.tuned_wins,
        images=compared.rows,
        new_accuracy=compared.head_accuracy,
        earlier_accuracy=compared.tuned_accuracy,
        difference=compared.difference,
        standard_error=compared.standard_error,
    )
    # That of the chief on every host: another kind of CPU rounds otherwise.
    record = EarlierRecord(**inputs.session.cluster.gather_json(asdict(record))[0])
    if record.kept and not inputs.data.validation_given:
        log(_SEEN)
    return replace(fitted, head=earlier if record.kept else fitted.head, earlier=record)
