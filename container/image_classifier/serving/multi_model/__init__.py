"""SageMaker's multi-model endpoints: one process loads and unloads many models on request. Start at app.py."""
