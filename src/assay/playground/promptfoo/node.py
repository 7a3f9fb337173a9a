"""A value in an evaluation file that knows its place."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from assay.core.errors import FieldFault


class Node:
    """A value with its place (`tests[3].assert`); what is wrong there is gathered, not raised.

    Attributes:
        value: the plain value.
        place: where it stands; empty for the whole file.
        faults: the one list of all nodes of a file.
    """

    def __init__(self, value: Any, place: str, faults: list[FieldFault]) -> None:
        """Take the value, its place, and the list that faults go to."""
        self.value = value
        self.place = place
        self.faults = faults

    def fault(self, message: str, below: str = "") -> None:
        """Note that something is wrong here, or at a place `below` (`.type`, `[0]`)."""
        place = f"{self.place}{below}".removeprefix(".")
        self.faults.append(FieldFault(place or "the file", message))

    def fields(self, known: Collection[str], refused: Mapping[str, str]) -> dict[str, "Node"]:
        """The fields of an object by name, without those that are null.

        Args:
            known: names that are read.
            refused: names that promptfoo has and Assay cannot carry over, each with the remedy.
        """
        if not isinstance(self.value, dict):
            self.fault(f"This must be an object with {', '.join(known)}.")
            return {}
        for name in self.value.keys() - set(known):
            message = refused.get(name)
            if message is None:
                near = get_close_matches(name, known, n=1)
                hint = f" Did you mean {near[0]}?" if near else ""
                message = f"There is no such field.{hint} The fields are {', '.join(known)}."
            self.fault(message, f".{name}")
        return {
            name: self.at(f".{name}", self.value[name])
            for name in known
            if self.value.get(name) is not None
        }

    def at(self, step: str, value: Any) -> "Node":
        """The node of a value inside this one; `step` is `.name` or `[index]`."""
        return Node(value, f"{self.place}{step}".removeprefix("."), self.faults)

    def entries(self) -> list["Node"]:
        """The entries of a list."""
        if not isinstance(self.value, list):
            self.fault("This must be a list.")
            return []
        return [self.at(f"[{index}]", entry) for index, entry in enumerate(self.value)]

    def text(self) -> str:
        """A text that is not blank; empty where it is none."""
        if isinstance(self.value, str) and self.value.strip():
            return self.value
        self.fault("This must be a text that is not empty.")
        return ""

    def flag(self) -> bool:
        """A boolean; false where it is none."""
        if not isinstance(self.value, bool):
            self.fault("This must be true or false.")
        return self.value is True

    def object(self) -> dict[str, Any]:
        """An object of any fields; empty where it is none."""
        if isinstance(self.value, dict):
            return self.value
        self.fault("This must be an object.")
        return {}
