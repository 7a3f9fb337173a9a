"""Results: what came out of a run, cell by cell, in a grid, and in sum."""
