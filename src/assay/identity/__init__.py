"""Who acts: every service takes the actor on whose behalf it works."""
