"""From a model folder and pixels to probabilities. No HTTP. Start reading at predictor.py."""
