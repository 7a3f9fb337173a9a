"""Assay: prompts, datasets, evaluations, agents and people in one self-hosted server."""

from importlib.metadata import version

__version__ = version("assay")
