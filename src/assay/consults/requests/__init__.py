"""Consultation requests: asked by programs, decided by people."""
