"""The one event log, and the feed of it to whoever may see it."""
