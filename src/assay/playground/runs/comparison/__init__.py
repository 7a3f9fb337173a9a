"""Runs held against each other, paired on the items of their dataset."""
