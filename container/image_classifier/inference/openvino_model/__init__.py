"""The OpenVINO IR beside a SavedModel: its record, its conversion, and its agreement with TensorFlow."""
