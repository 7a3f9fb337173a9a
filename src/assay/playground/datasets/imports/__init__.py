"""Items from files: CSV and JSON Lines of any size, read while they come in."""
