"""Evaluation files in promptfoo's shape: read, held against what can be carried over."""
