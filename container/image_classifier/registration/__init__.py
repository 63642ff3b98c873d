"""What a model registry gets to know of a model: its score with an interval, its model card, its drift baseline."""
