"""Thresholds by which a job plans its work; who estimates a job's duration needs them without the job."""

OPENVINO_IMAGES = 600
"""Images per host from which converting to OpenVINO saves time; measured in docs/decisions/0010-feature-pass.md."""
TUNED_CLASS_IMAGES = 20
"""Training images of the smallest class from which recipe=auto tunes the network."""
CPU_TUNING_SECONDS, GPU_TUNING_SECONDS = 600.0, 1800.0
"""Longest tuning of recipe=auto without max_runtime, on CPUs alone and with a GPU."""
