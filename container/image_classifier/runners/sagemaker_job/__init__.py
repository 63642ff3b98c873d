"""A job on SageMaker: its record in the folder, its inputs in S3, the process that follows it, its status."""
