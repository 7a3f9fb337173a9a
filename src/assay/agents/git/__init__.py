"""Git on the side of the server: clones, branches, commits, pushes, pull requests."""
