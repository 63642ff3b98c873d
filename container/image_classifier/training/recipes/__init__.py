"""Recipes: heads and networks chosen by evidence inside the job."""
