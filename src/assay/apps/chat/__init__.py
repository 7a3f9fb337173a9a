"""Conversations with a bot."""
