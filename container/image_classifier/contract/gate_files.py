"""What the verb `gate` takes and leaves, for itself and for the pipeline whose conditions read it."""

from image_classifier.contract import report_files

ENTRY_POINT = "gate"
"""The verb of the image."""
MODEL, REPORTS = INPUTS = ("model", "reports")
"""Names of the inputs, and of their folders below `/opt/ml/processing/input`."""
FIGURES = "gate.json"
"""Figures as numbers, which a condition compares."""
ACCURACY_LOW, MARGIN, HAS_OPENVINO = "accuracy_low", "margin_over_best_constant", "has_openvino"
"""Keys of `FIGURES` that conditions read."""
VERDICT = "verdict"
"""Key of `FIGURES`: the report's verdict; empty if none is recorded."""
COPIED = (report_files.MODEL_QUALITY, report_files.MODEL_CARD)
"""As the job wrote them."""
BASELINES = (STATISTICS, CONSTRAINTS) = ("statistics.json", "constraints.json")
"""The drift baseline, in Model Monitor's schemas."""
