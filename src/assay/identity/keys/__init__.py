"""API keys, by which programs act for people."""
