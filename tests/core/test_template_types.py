"""What templates say about the types of their variables, and what they leave open."""

import pytest

from assay.core.templates import compile_template


@pytest.mark.parametrize(
    ("template", "name", "kind"),
    [
        ("{% for x in a %}{{ x }}{% endfor %}", "a", "array"),
        ("{{ a | join(', ') }}", "a", "array"),
        ("{{ a | map(attribute='b') | list }}", "a", "array"),
        ("{{ a.b }}", "a", "object"),
        ("{{ a['b'] }}", "a", "object"),
        ("{% for k, v in a.items() %}{% endfor %}", "a", "object"),
        ("{% for k, v in a | dictsort %}{% endfor %}", "a", "object"),
        ("{{ a | round(2) }}", "a", "number"),
        ("{{ a }}", "a", None),
        ("{{ a | upper }} {{ a | length }} {{ a[0] }} {{ a[b] }}", "a", None),
        ("{{ a.strip() }}", "a", None),
        # Two uses that cannot both be.
        ("{{ a.b }}{% for x in a %}{% endfor %}", "a", None),
        # It may be something else where it is not used like this.
        ("{% if a %}{% for x in a %}{% endfor %}{% endif %}", "a", None),
        ("{{ a.b if a else '' }}", "a", None),
        ("{% if a is mapping %}{{ a.b }}{% endif %}", "a", None),
        ("{% if a == 1 %}{% endif %}{{ a.b }}", "a", None),
        ("{{ (a or {}).b }}{{ a.c }}", "a", None),
        ("{{ a.b | default('') }}{% if a.c is defined %}{% endif %}", "a", None),
        ("{% for x in a | default([]) %}{% endfor %}", "a", None),
        # Names of the template's own.
        ("{% set a = {'b': 1} %}{{ a.b }}", "a", None),
        ("{% for a in b %}{{ a.c }}{% endfor %}", "a", None),
        ("{% if a is defined %}{% for x in a %}{% endfor %}{% endif %}", "a", "array"),
        ("plain", "a", None),
    ],
)
def test_types(template: str, name: str, kind: str | None) -> None:
    assert compile_template(template).uses.type_of(name) == kind


def test_properties() -> None:
    uses = compile_template("{{ a.b }} {{ a['c d'] }} {{ a.e.f }} {{ a.get('g') }}").uses
    assert uses.properties == {"a": {"b", "c d", "e"}}
