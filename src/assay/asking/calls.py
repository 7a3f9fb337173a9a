"""Calls of a function, as they are shown to who approves them."""

import inspect
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from inspect import BoundArguments, Parameter
from string import Formatter
from typing import Any

from assay.asking.decisions import Approval
from assay.asking.errors import ApprovalMismatch
from assay.asking.shapes import Fields
from assay.asking.subjects import as_json, subject_hash, titled

_SEVERAL = {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    Attributes:
        bound: its arguments, with defaults.
        shown: those that are shown and approved, as JSON.
        subject_hash: of the function and those arguments.
    """

    bound: BoundArguments
    shown: Mapping[str, Any]
    subject_hash: str


class Gated:
    """A function whose calls are approved by people.

    Attributes:
        name: its module and qualified name.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        editable: Collection[str],
        exclude: Collection[str],
        templates: Collection[str],
    ) -> None:
        """Look at the function once.

        Args:
            function: a function or coroutine function.
            editable: arguments that a reviewer may change.
            exclude: arguments that are neither shown nor approved; `self` and `cls` are not either.
            templates: texts in which `{name}` stands for an argument.

        Raises:
            TypeError: the function cannot be called that way.
        """
        _require_function(function)
        self.name = f"{function.__module__}.{function.__qualname__}"
        self._signature = inspect.signature(function)
        parameters = self._signature.parameters
        bound_to = [name for name in list(parameters)[:1] if name in {"self", "cls"}]
        self._hidden = {*exclude, *bound_to}
        for name in (*editable, *exclude):
            if name not in parameters:
                raise TypeError(f"{self.name} has no argument {name}")
        for template in templates:
            self._check(template)
        self._fields = Fields(self._types(function, editable)) if editable else None

    def call(self, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Call:
        """The call with these arguments.

        Raises:
            TypeError: the function does not take them, or one of them is no JSON.
        """
        bound = self._signature.bind(*arguments, **named)
        bound.apply_defaults()
        shown = self._shown(bound)
        return Call(bound, shown, subject_hash(self.name, shown))

    def filled(self, template: str, call: Call) -> str:
        """A template with the arguments of a call."""
        return template.format(**self._seen(call.bound))

    def context(self, call: Call) -> dict[str, Any]:
        """What a reviewer needs to see of a call."""
        return {"function": self.name, "arguments": dict(call.shown)}

    def title(self, template: str | None, call: Call) -> str:
        """The title of the request for a call."""
        if template is None:
            return titled(f"Call {self._short}?")
        return titled(self.filled(template, call)) or self._short

    def edits_schema(self, call: Call) -> dict[str, Any] | None:
        """The JSON Schema of what may be changed about a call, if something may."""
        return self._fields.schema(call.shown) if self._fields else None

    def approved(self, call: Call, approval: Approval) -> BoundArguments:
        """The arguments to call the function with, after an approval.

        Raises:
            ApprovalMismatch: the approval is of other arguments, or they have changed since.
            InvalidAnswer: what was changed is not what the function takes.
        """
        request = approval.request
        if request.subject_hash != call.subject_hash:
            raise ApprovalMismatch(
                f"The request {request.id} approves another call than this one of {self.name}"
            )
        if subject_hash(self.name, self._shown(call.bound)) != call.subject_hash:
            raise ApprovalMismatch(
                f"The arguments of {self.name} were changed while request {request.id} was waiting"
            )
        if approval.edits:
            if self._fields is None:
                raise ApprovalMismatch(f"The request {request.id} changes what may not be changed")
            call.bound.arguments.update(self._fields.validated(approval.edits, request))
        return call.bound

    @property
    def _short(self) -> str:
        return self.name.rpartition(".")[2]

    def _seen(self, bound: BoundArguments) -> dict[str, Any]:
        return {name: value for name, value in bound.arguments.items() if name not in self._hidden}

    def _shown(self, bound: BoundArguments) -> dict[str, Any]:
        return {name: as_json(name, value) for name, value in self._seen(bound).items()}

    def _check(self, template: str) -> None:
        for _, field, _, _ in Formatter().parse(template):
            name = field and field.replace("[", ".").partition(".")[0]
            if name is None:
                continue
            if name not in self._signature.parameters or name in self._hidden:
                raise TypeError(f"{template!r} names {name!r}, which {self.name} does not show")

    def _types(self, function: Callable[..., Any], editable: Collection[str]) -> dict[str, Any]:
        try:
            types = typing.get_type_hints(function, include_extras=True)
        except NameError as error:
            raise TypeError(f"The annotations of {self.name} cannot be read: {error}") from error
        for name in editable:
            one = self._signature.parameters[name].kind not in _SEVERAL
            if name not in types or name in self._hidden or not one:
                raise TypeError(
                    f"The argument {name} of {self.name} cannot be changed by a reviewer: it needs "
                    "an annotation and has to be shown, and cannot be * or **"
                )
        return {name: types[name] for name in editable}


def _require_function(function: object) -> None:
    if isinstance(function, staticmethod | classmethod):
        raise TypeError("Write @staticmethod or @classmethod above @require_approval")
    if not inspect.isfunction(function):
        raise TypeError(f"Only functions can be approved, and {function!r} is none")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"{function.__qualname__} is a generator, which does its work bit by bit after it was "
            "called; approve the function that uses it"
        )
