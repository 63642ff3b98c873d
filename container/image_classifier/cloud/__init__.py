"""What is asked of AWS by jobs and by staging. boto3 is imported where it is used: endpoints start without it."""
