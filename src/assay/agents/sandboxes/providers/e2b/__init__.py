"""Sandboxes at E2B, by its official SDK; see https://e2b.dev."""
