"""SageMaker's multi-model endpoints: many models in one process, loaded and unloaded on request. Start at app.py."""
