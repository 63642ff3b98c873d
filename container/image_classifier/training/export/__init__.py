"""The artefacts of a job: SavedModel, OpenVINO IR, verification and reports."""
