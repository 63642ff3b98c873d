"""The LiteRT file of a model for phones: its conversion by TensorFlow, and its judgement against the model itself."""
