"""The playground: prompts, datasets, and runs that grade one on the other."""
