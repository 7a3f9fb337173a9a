"""Sessions of a chat."""
