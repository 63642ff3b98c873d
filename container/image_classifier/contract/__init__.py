"""What the platform and the users rely on, declared once. Standard library only."""
