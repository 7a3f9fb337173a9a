"""Templates: text with `{{ variable }}` in it, written by users and so run in a sandbox.

The language is Jinja2's. What differs: a value that is not text prints as JSON, `{{ a.b }}`
prefers the key `b` of an object over a method of that name, nothing can be loaded from
elsewhere (`include`, `import`, `extends`), and sizes are bounded. Loops are bounded only as
far as the sandbox goes: each `range` and the length of the text, not the time.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from assay.core.errors import Invalid
from assay.core.template_types import Uses, find_uses

MAX_TEXT = 10_000_000
"""The longest text, in characters, that a template may make."""

_MAX_REPEAT = 1_000_000
_MAX_BITS = 4096
_MARKUP = re.compile(r"\{[{%#]")
_ONE_VARIABLE = re.compile(r"\s*\{\{-?\s*([^\W\d]\w*)\s*-?\}\}\s*")
_LOADERS = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)


class TemplateFault(Invalid):
    """The template cannot be read or filled in."""

    code = "template"


class Template:
    """A compiled template; make one with `compile_template` and render it as often as needed.

    Attributes:
        text: The template as written.
        is_static: There is no markup in it: `render` gives back `text` as it is.
        variables: All names the template takes from outside.
        lone_variable: The name, where the template is one `{{ name }}` and nothing else.
    """

    def __init__(self, text: str, tree: nodes.Template | None) -> None:
        self.text = text
        self.is_static = tree is None
        self.variables: frozenset[str] = frozenset()
        self.lone_variable: str | None = None
        if tree is not None:
            self._tree = tree
            self._compiled = _ENVIRONMENT.from_string(tree)
            self.variables = frozenset(meta.find_undeclared_variables(tree))
            lone = _ONE_VARIABLE.fullmatch(text)
            self.lone_variable = lone[1] if lone and lone[1] in self.variables else None

    @cached_property
    def required(self) -> frozenset[str]:
        """The names a rendering needs: used somewhere without a default or an `is defined`.

        A best effort: a name guarded in some other way counts as required.
        """
        if self.is_static:
            return frozenset()
        return self.variables.intersection(_unguarded(self._tree, frozenset()))

    @cached_property
    def uses(self) -> Uses:
        """How the template uses its variables, which says something about their types."""
        return Uses() if self.is_static else find_uses(self._tree)

    def render(self, variables: Mapping[str, object]) -> str:
        """Fill in the variables and give the text.

        Args:
            variables: JSON values by name; names the template does not use are ignored.

        Raises:
            TemplateFault: A variable is missing, a filter or operator refuses a value, or
                the text would be longer than `MAX_TEXT`.
        """
        if self.is_static:
            return self.text
        # Template.render of Jinja2 makes its context from a chain of mappings, which takes
        # three times as long as all the rest.
        context = _ENVIRONMENT.context_class(
            _ENVIRONMENT, {**_GLOBALS, **variables}, None, self._compiled.blocks
        )
        try:
            return _join(self._compiled.root_render_func(context))
        except TemplateFault:
            raise
        except jinja2.UndefinedError as error:
            raise TemplateFault(f"{error}{_given(variables)}.") from None
        except Exception as error:  # noqa: BLE001  whatever users write can raise anything
            raise TemplateFault(f"The template cannot be filled in: {_named(error)}.") from None


def compile_template(text: str) -> Template:
    """Read a template.

    Args:
        text: Jinja2 syntax; text without `{{`, `{%` and `{#` is taken as it is.

    Raises:
        TemplateFault: With the line and what is wrong there.
    """
    if not _MARKUP.search(text):
        return Template(text, None)
    try:
        tree = _ENVIRONMENT.parse(text)
        loader = next(tree.find_all(_LOADERS), None)
        if loader is None:
            return Template(text, tree)
    except jinja2.TemplateSyntaxError as error:
        message = (error.message or "not a template").rstrip(".")
        raise TemplateFault(f"Line {error.lineno} of the template: {message}.") from None
    except Exception as error:  # noqa: BLE001  whatever users write can raise anything
        raise TemplateFault(f"The template cannot be read: {_named(error)}.") from None
    raise TemplateFault(
        f"Line {loader.lineno} of the template: {type(loader).__name__.lower()} is not available."
    )


class _Missing(jinja2.StrictUndefined):
    """A missing value that says in the reader's terms what is missing."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return self._undefined_hint
        if self._undefined_obj is jinja2.utils.missing:
            return f'The variable "{self._undefined_name}" is missing'
        kind = "object" if isinstance(self._undefined_obj, Mapping) else "value"
        return f'There is no "{self._undefined_name}" in the {kind} it is looked up in'


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, made for values that come from JSON."""

    intercepted_binops = frozenset({"*", "**"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look up `obj.attribute`: in an object the key comes first, so `order.items` works."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse products and powers so large that they would exhaust the memory."""
        if _is_huge(operator, left, right):
            raise TemplateFault(f"The result of {operator} in the template is too large.")
        return super().call_binop(context, operator, left, right)


def _is_huge(operator: str, left: object, right: object) -> bool:
    if isinstance(left, int) and isinstance(right, int):
        factor = right if operator == "**" else 1
        return (left.bit_length() + right.bit_length()) * factor > _MAX_BITS
    if isinstance(left, int):
        left, right = right, left
    if isinstance(left, str | list | tuple) and isinstance(right, int):
        return len(left) * right > _MAX_REPEAT
    # Floats end in infinity by themselves.
    return False


def _printed(value: object) -> object:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | dict | list | tuple):
        return _as_json(value)
    return value


def _as_json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=str)


def _make_environment() -> _Environment:
    environment = _Environment(
        undefined=_Missing, autoescape=False, keep_trailing_newline=True, finalize=_printed
    )
    # Jinja2's own tojson escapes <, > and & for use in HTML; dump is its name in Nunjucks.
    environment.filters["tojson"] = environment.filters["dump"] = _as_json
    for unused in ("cycler", "dict", "joiner", "lipsum"):
        # They would hide that a variable of the same name is missing.
        del environment.globals[unused]
    return environment


_ENVIRONMENT = _make_environment()
_GLOBALS = dict(_ENVIRONMENT.globals)


def _join(pieces: Iterator[str]) -> str:
    written = []
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > MAX_TEXT:
            raise TemplateFault(f"The template makes a text of over {MAX_TEXT:,} characters.")
        written.append(piece)
    return "".join(written)


def _given(variables: Mapping[str, object]) -> str:
    if not variables:
        return "; no variables are given"
    names = [f'"{name}"' for name in list(variables)[:10]]
    return f"; given are {', '.join(names)}{' and more' if len(variables) > 10 else ''}"


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(". ")


def _unguarded(node: nodes.Node, guarded: frozenset[str]) -> Iterator[str]:
    """The names read below a node where nothing makes sure that they exist."""
    if isinstance(node, nodes.Name):
        if node.ctx == "load" and node.name not in guarded:
            yield node.name
    elif isinstance(node, nodes.If | nodes.CondExpr):
        yield from _unguarded_branches(node, guarded)
    elif isinstance(node, nodes.And):
        yield from _unguarded(node.left, guarded)
        yield from _unguarded(node.right, guarded | _tested(node.left, "defined"))
    else:
        asked = _asked_about(node)
        for child in node.iter_child_nodes():
            if child is not asked:
                yield from _unguarded(child, guarded)


def _unguarded_branches(node: nodes.If | nodes.CondExpr, guarded: frozenset[str]) -> Iterator[str]:
    present = guarded | _tested(node.test, "defined")
    absent = guarded | _tested(node.test, "undefined")
    yield from _unguarded(node.test, guarded)
    if isinstance(node, nodes.CondExpr):
        yield from _unguarded(node.expr1, present)
        if node.expr2 is not None:
            yield from _unguarded(node.expr2, absent)
        return
    for child in node.body:
        yield from _unguarded(child, present)
    for child in [*node.elif_, *node.else_]:
        yield from _unguarded(child, absent)


def _asked_about(node: nodes.Node) -> nodes.Name | None:
    """The name that may be missing here, because `default` or `is defined` deals with that."""
    if not isinstance(node, nodes.Filter | nodes.Test) or not isinstance(node.node, nodes.Name):
        return None
    return node.node if node.name in {"default", "d", "defined", "undefined"} else None


def _tested(test: nodes.Node, state: str) -> frozenset[str]:
    """The names that are sure to be defined where a test for `state` holds (or else fails).

    With `defined`: names defined when the test is true; with `undefined`: when it is false.
    """
    if isinstance(test, nodes.Not):
        return _tested(test.node, "undefined" if state == "defined" else "defined")
    if isinstance(test, nodes.And) and state == "defined":
        return _tested(test.left, state) | _tested(test.right, state)
    if isinstance(test, nodes.Test) and test.name == state and isinstance(test.node, nodes.Name):
        return frozenset({test.node.name})
    return frozenset()
