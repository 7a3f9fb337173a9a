"""Judges that people define."""
