"""Cells of runs whose answers people are asked about."""
