"""What the way in which a template uses a variable says about the variable's type."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from jinja2 import nodes

# Filters that want a list, an object, or a number. What also works with text is not among them.
_FILTERS = {
    **dict.fromkeys(
        ("batch", "groupby", "join", "list", "map", "max", "min", "reject", "rejectattr", "select",
         "selectattr", "slice", "sort", "sum", "unique"),
        "array",
    ),
    **dict.fromkeys(("dictsort", "items", "xmlattr"), "object"),
    **dict.fromkeys(("abs", "filesizeformat", "round"), "number"),
}  # fmt: skip
_METHODS_OF_OBJECTS = frozenset({"get", "items", "keys", "values"})
_PRESENCE = frozenset({"default", "d", "defined", "undefined"})


@dataclass(slots=True)
class Uses:
    """How templates use their variables.

    Attributes:
        types: the JSON types that uses of a name ask for; where there are several, they clash.
        properties: what is looked up in a name.
        unsure: names that are tested before they are used, or set, so that nothing is certain.
    """

    types: dict[str, set[str]] = field(default_factory=dict)
    properties: dict[str, set[str]] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)

    def add(self, other: "Uses") -> None:
        """Take in the uses of another template."""
        for name, types in other.types.items():
            self.types.setdefault(name, set()).update(types)
        for name, properties in other.properties.items():
            self.properties.setdefault(name, set()).update(properties)
        self.unsure |= other.unsure

    def type_of(self, name: str) -> str | None:
        """The one type of JSON that a name has to have, if the templates say so."""
        types = self.types.get(name, set())
        return next(iter(types)) if len(types) == 1 and name not in self.unsure else None


def find_uses(tree: nodes.Template) -> Uses:
    """How a template uses the names in it; those of its own loops and the like are unsure."""
    uses = Uses(unsure=set(_unsure(tree)))
    for name, kind in _typed(tree):
        uses.types.setdefault(name, set()).add(kind)
    for name, looked_up in _looked_up(tree):
        uses.types.setdefault(name, set()).add("object")
        uses.properties.setdefault(name, set()).add(looked_up)
    return uses


def _typed(tree: nodes.Template) -> Iterator[tuple[str, str]]:
    for loop in tree.find_all(nodes.For):
        if isinstance(loop.iter, nodes.Name):
            yield loop.iter.name, "array"
    for applied in tree.find_all(nodes.Filter):
        if isinstance(applied.node, nodes.Name) and applied.name in _FILTERS:
            yield applied.node.name, _FILTERS[applied.name]
    for call in tree.find_all(nodes.Call):
        method = call.node
        if (
            isinstance(method, nodes.Getattr)
            and isinstance(method.node, nodes.Name)
            and method.attr in _METHODS_OF_OBJECTS
        ):
            yield method.node.name, "object"


def _looked_up(tree: nodes.Template) -> Iterator[tuple[str, str]]:
    called = {id(call.node) for call in tree.find_all(nodes.Call)}
    for guard in tree.find_all((nodes.Filter, nodes.Test)):
        if guard.name in _PRESENCE:
            called.add(id(guard.node))
    for read in tree.find_all(nodes.Getattr):
        if isinstance(read.node, nodes.Name) and id(read) not in called:
            yield read.node.name, read.attr
    for item in tree.find_all(nodes.Getitem):
        key = item.arg
        if (
            isinstance(item.node, nodes.Name)
            and id(item) not in called
            and isinstance(key, nodes.Const)
            and isinstance(key.value, str)
        ):
            yield item.node.name, key.value


def _unsure(tree: nodes.Template) -> Iterator[str]:
    for name in tree.find_all(nodes.Name):
        if name.ctx != "load":
            yield name.name
    for branch in tree.find_all(nodes.If):
        yield from _names(branch.test)
    for choice in tree.find_all(nodes.CondExpr):
        yield from _names(choice.test)
    for joined in tree.find_all((nodes.And, nodes.Or)):
        yield from _names(joined.left, joined.right)
    for negated in tree.find_all(nodes.Not):
        yield from _names(negated.node)
    for test in tree.find_all(nodes.Test):
        if test.name not in _PRESENCE:
            yield from _names(test.node)
    for compared in tree.find_all(nodes.Compare):
        yield from _names(compared.expr, *(operand.expr for operand in compared.ops))


def _names(*found: nodes.Node) -> Iterator[str]:
    for node in found:
        if isinstance(node, nodes.Name):
            yield node.name
