"""HTTP only. Start reading at app.py."""
