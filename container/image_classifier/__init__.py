"""Fine-tune and serve TensorFlow Hub image classifiers on Amazon SageMaker."""
