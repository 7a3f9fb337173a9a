"""The names of the tools; apart from them, as these take seconds to import."""

from collections.abc import Collection

from assay.core.errors import FieldFault, Invalid

TOOLS: tuple[str, ...] = (
    "list_files",
    "read_file",
    "search",
    "write_file",
    "edit_file",
    "apply_patch",
    "run_command",
    "update_plan",
    "ask_human",
)
"""The names of all tools; `finish` is there beside them, always."""


def check_tools(names: Collection[str]) -> None:
    """Make sure that there are tools with these names.

    Raises:
        Invalid: with each that there is not.
    """
    unknown = [name for name in names if name not in TOOLS]
    if unknown:
        raise Invalid(
            "There are no such tools.",
            errors=[
                FieldFault("tools", f"{name} is not a tool; there are {', '.join(TOOLS)}")
                for name in unknown
            ],
        )
