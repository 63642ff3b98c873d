"""The removed behaviours, in the order of docs/reference/faults.md."""

from tests.benchmarks.taken_out import (
    bodies_and_types,
    images,
    load_and_end,
    many_models_and_logs,
    models_and_processes,
)
from tests.benchmarks.taken_out.edit import Edit

EDITS: tuple[Edit, ...] = tuple(
    # Sorting keeps the order within a fault.
    sorted(
        (
            *bodies_and_types.EDITS,
            *images.EDITS,
            *load_and_end.EDITS,
            *models_and_processes.EDITS,
            *many_models_and_logs.EDITS,
        ),
        key=lambda edit: edit.fault,
    )
)
