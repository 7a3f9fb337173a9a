"""Recordings and what became of them."""
