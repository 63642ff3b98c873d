"""The OpenVINO IR beside a SavedModel: record, conversion, agreement with TensorFlow."""
