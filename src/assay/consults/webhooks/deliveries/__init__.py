"""Deliveries of webhooks: what is sent, each attempt, and what came of it."""
