"""Model folder and images in, probabilities out; no HTTP. Start reading at predictor.py."""
