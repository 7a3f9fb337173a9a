"""The sample project that a newcomer's first run evaluates."""
