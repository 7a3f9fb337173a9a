"""How every Typer application here is set up."""

from typing import Any

import typer


def typer_app(**settings: Any) -> typer.Typer:
    """A Typer application in the style of the house; `settings` are Typer's own."""
    return typer.Typer(
        add_completion=False,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        **settings,
    )
