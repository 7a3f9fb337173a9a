"""Webhooks: addresses that are told of what happens to requests."""
