"""Thresholds by which a job plans its work; who estimates a job's duration needs them without the job."""

OPENVINO_IMAGES = 600
"""Images per host from which converting to OpenVINO saves time; measured in docs/decisions/0010-feature-pass.md."""
TUNED_CLASS_IMAGES = 20
"""Training images of the smallest class from which recipe=auto tunes the network."""
CPU_TUNING_SECONDS, GPU_TUNING_SECONDS = 600.0, 1800.0
"""Longest tuning of recipe=auto without max_runtime, on CPUs alone and with a GPU."""
COPIED_IMAGES = 250
"""Training images up to which copies are tried: they stand in for images that are missing, and cost a pass each.

The passes of so few images take seconds, less than the rest of a job. By number, not by time, so that a job that was
killed and resumed with features of its first run decides as before.
"""
