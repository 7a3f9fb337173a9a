"""Whom a project is shared with."""
