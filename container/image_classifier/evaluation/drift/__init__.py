"""Drift: whether the images of production are like those that the model was judged on. No TensorFlow, no HTTP.

`profile` describes a set of images, `baseline` is the profile that an artefact carries, `comparison` tells two apart.
"""
