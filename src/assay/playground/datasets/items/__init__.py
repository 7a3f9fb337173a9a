"""The items of a dataset."""
