"""The contract with the platform and the users, declared once. Standard library only."""
