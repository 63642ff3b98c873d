"""Monitoring of a deployed model: read SageMaker's data capture, compare it with the baseline, report drift.

`job` is the image's verb `monitor`; `captures` reads the lines, `statistics`, `constraints` and `metrics` write what
Model Monitor and CloudWatch expect.
"""
