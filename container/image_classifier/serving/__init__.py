"""HTTP and nothing else. Start reading at app.py."""
