"""Links by which anybody may read one run, for a while."""
