"""Completions: a version of a prompt asked of a model, once, for somebody who waits."""
