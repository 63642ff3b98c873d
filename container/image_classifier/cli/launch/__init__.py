"""`scripts/launch`: training, tuning, endpoints and batch transform on SageMaker, one module per verb."""
