"""From a folder of labelled pictures and a backbone to a checked model. Start reading at job.py."""

import os
import warnings

# tensorflow_hub's KerasLayer is a tf_keras layer; both variables count only before TensorFlow is imported.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)
