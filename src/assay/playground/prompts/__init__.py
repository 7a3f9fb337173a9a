"""Prompts, their numbered versions and labels."""
