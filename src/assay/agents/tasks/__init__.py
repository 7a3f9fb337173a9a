"""Tasks: what is to be done in a repository, and how it is done."""
