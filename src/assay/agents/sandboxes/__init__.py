"""Sandboxes: where commands of agents run, away from everything else."""
