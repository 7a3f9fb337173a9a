"""The registry of the tags on messages."""
