"""What bodies and headers of requests and answers mean: start reading at codecs.py."""
