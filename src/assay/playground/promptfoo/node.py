"""A value in an evaluation file that knows its place."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from assay.core.errors import FieldFault


@dataclass(slots=True)
class Findings:
    """What was found while a file was read.

    Attributes:
        leaves_out: whether what Assay has no counterpart for is left out and listed; else it is
            a fault like any other.
        faults: what is wrong.
        left_out: what is not carried over, with the reason.
        warnings: what is carried over and has no effect, a line each.
    """

    leaves_out: bool = False
    faults: list[FieldFault] = field(default_factory=list)
    left_out: list[FieldFault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Node:
    """A value with its place (`tests[3].assert`); what is wrong there is gathered, not raised.

    Attributes:
        value: the plain value.
        place: where it stands; empty for the whole file.
        findings: those of all nodes of a file.
    """

    def __init__(self, value: Any, place: str, findings: Findings) -> None:
        """Take the value, its place, and where to note what is found."""
        self.value = value
        self.place = place
        self.findings = findings

    def fault(self, message: str, below: str = "") -> None:
        """Note that something is wrong here, or at a place `below` (`.type`, `[0]`)."""
        self.findings.faults.append(self._found(message, below))

    def refuse(self, message: str, below: str = "") -> None:
        """Note that Assay has no counterpart for this; whoever calls goes on without it."""
        findings = self.findings
        noted = findings.left_out if findings.leaves_out else findings.faults
        noted.append(self._found(message, below))

    def warn(self, message: str, below: str = "") -> None:
        """Note that this has no effect."""
        found = self._found(message, below)
        self.findings.warnings.append(str(found))

    def _found(self, message: str, below: str) -> FieldFault:
        place = f"{self.place}{below}".removeprefix(".")
        return FieldFault(place or "the file", message)

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
            self.refuse(message, f".{name}")
        return {
            name: self.at(f".{name}", self.value[name])
            for name in known
            if self.value.get(name) is not None
        }

    def at(self, step: str, value: Any) -> "Node":
        """The node of a value inside this one; `step` is `.name` or `[index]`."""
        return Node(value, f"{self.place}{step}".removeprefix("."), self.findings)

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
