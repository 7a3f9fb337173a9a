"""Gates: what a version needs before it gets a protected label."""
