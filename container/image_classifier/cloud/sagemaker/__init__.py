"""SageMaker: pure builders of requests, their validation against botocore's service model, and what sends them."""
