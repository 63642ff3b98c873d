"""The CloudWatch metrics of the verb `monitor`, whose names the alarms of `scripts/launch monitor` share."""

NAMESPACE = "ImageClassifier/Drift"
DRIFTED_FEATURES = "drifted_features"
"""Number of features that have drifted; absent from a run that could not compare."""
ENDPOINT = "Endpoint"
"""The dimension with the endpoint's name."""
