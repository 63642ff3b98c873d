"""Recipes: ways to train that are chosen by evidence inside the job."""
