"""Differences between two versions of a prompt."""
