"""Fine-tune and serve TensorFlow Hub image classifiers on Amazon SageMaker."""

from pathlib import Path

PROGRAM = Path(__file__).parents[1]
"""The folder that lies in the image as /opt/program."""

__version__ = "0.4.0"
"""What the images' labels and tags say; `scripts/build` reads this line."""
