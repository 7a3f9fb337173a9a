"""Versioned output schemas of an app."""
