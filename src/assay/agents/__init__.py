"""Agents: tasks done in sandboxes, with git."""
