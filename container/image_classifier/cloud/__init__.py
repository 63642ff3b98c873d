"""Requests to AWS: S3, ECR and SageMaker. boto3 is imported lazily, so that endpoints start without it."""
