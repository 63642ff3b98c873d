"""SageMaker Pipelines: train, judge, register behind a quality gate; the definition is plain data."""
