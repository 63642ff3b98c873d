"""Judgement of a classifier from arrays: how good, where it errs, which data to look at. No TensorFlow, no HTTP."""
