"""Assay: prompts, datasets, evaluations, agents and people in one self-hosted server."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.asking import (
        Approval,
        ApprovalMismatch,
        Decision,
        InvalidAnswer,
        NoAnswer,
        NotAnswered,
        Refused,
        RequestCancelled,
        StillPending,
        approve,
        approve_async,
        ask,
        ask_async,
        choose,
        choose_async,
        form,
        form_async,
        require_approval,
    )
    from assay.client import AsyncClient, Client

__all__ = [
    "Approval",
    "ApprovalMismatch",
    "AsyncClient",
    "Client",
    "Decision",
    "InvalidAnswer",
    "NoAnswer",
    "NotAnswered",
    "Refused",
    "RequestCancelled",
    "StillPending",
    "__version__",
    "approve",
    "approve_async",
    "ask",
    "ask_async",
    "choose",
    "choose_async",
    "form",
    "form_async",
    "require_approval",
]

__version__ = version("assay")

_OF_CLIENT = {"AsyncClient", "Client"}


def __getattr__(name: str) -> object:
    # Loaded when they are wanted, as most that imports this package wants a small part of it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("assay.client" if name in _OF_CLIENT else "assay.asking"), name)
