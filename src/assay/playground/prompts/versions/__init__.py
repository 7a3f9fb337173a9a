"""The numbered versions of a prompt, and the labels on them."""
