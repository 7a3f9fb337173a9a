"""Grading: assertions compiled once and held against each answer. No I/O, no database."""
