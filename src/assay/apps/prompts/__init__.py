"""Versioned prompts of an app."""
