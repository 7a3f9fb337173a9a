"""Runs: every item of a dataset asked of every model, graded and stored."""
