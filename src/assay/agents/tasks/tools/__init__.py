"""The tools that a model works with inside of a sandbox."""
