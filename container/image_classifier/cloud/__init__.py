"""Requests to AWS: S3 and ECR. boto3 is imported lazily, so that endpoints start without it."""
