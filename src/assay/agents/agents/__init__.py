"""Agents: who does tasks, with what model, tools and limits."""
