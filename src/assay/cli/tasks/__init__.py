"""What the commands `assay task` are made of."""
