"""Evaluation runs over conversations, and what they found."""
