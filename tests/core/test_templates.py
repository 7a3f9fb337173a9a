import string
import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from assay.core.templates import Template, TemplateFault, compile_template

names = st.text(string.ascii_lowercase + "_", min_size=1, max_size=5)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
words = ["a", "b", ".c", "|upper", "|join(1)", "[0]", "(", ")", "if", "for", "in", "set", "=", "1"]
marks = ["{{", "}}", "{%", "%}", "{#", "#}", "endif", "endfor", "*", "**", "'x'", "~", " ", "\n"]
templates = st.one_of(
    st.text(),
    st.lists(st.sampled_from(words + marks), max_size=12).map("".join),
    st.lists(st.sampled_from(words), max_size=6).map(lambda found: f"{{{{ {' '.join(found)} }}}}"),
    st.lists(st.sampled_from(words), max_size=6).map(lambda found: f"{{% {' '.join(found)} %}}"),
)


def render(text: str, **variables: object) -> str:
    return compile_template(text).render(variables)


def test_fills_in_variables() -> None:
    assert render("Hi {{ name }}, {{greeting|upper}}!\n", name="Ada", greeting="hey") == (
        "Hi Ada, HEY!\n"
    )


def test_text_without_markup_stays_untouched() -> None:
    text = "  50% of {this} & <that>\r\n\n"
    template = compile_template(text)
    assert template.is_static
    assert template.render({}) is text
    assert template.variables == template.required == frozenset()


def test_a_comment_is_markup() -> None:
    template = compile_template("a{# note #}b")
    assert not template.is_static
    assert template.render({}) == "ab"


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        ({"a": ["é", None, True]}, '{"a": ["é", null, true]}'),
        ([1, "x"], '[1, "x"]'),
        (True, "true"),
        (None, "null"),
        (1.5, "1.5"),
        ("<b>&", "<b>&"),
    ],
)
def test_what_is_not_text_prints_as_json(value: object, printed: str) -> None:
    assert render("{{ value }}", value=value) == printed


def test_filters_for_json_do_not_escape() -> None:
    assert render("{{ v|tojson }} {{ v|dump }}", v=["<&>"]) == '["<&>"] ["<&>"]'


def test_a_key_comes_before_a_method_of_the_same_name() -> None:
    assert render("{{ order.items[0] }} {{ order.get }}", order={"items": ["tea"], "get": 1}) == (
        "tea 1"
    )


def test_a_missing_variable_is_named_with_those_given() -> None:
    with pytest.raises(TemplateFault) as caught:
        render("{{ question }} {{ topic }}", question="?", lang="en")
    assert str(caught.value) == ('The variable "topic" is missing; given are "question", "lang".')


def test_a_missing_key_of_an_object_is_named() -> None:
    with pytest.raises(TemplateFault, match='no "b" in the object'):
        render("{{ a.b }}", a={"c": 1})


def test_a_syntax_error_names_the_line() -> None:
    with pytest.raises(TemplateFault, match=r"^Line 2 of the template: .*'}'"):
        compile_template("fine\n{{ broken }\n")


def test_an_unknown_filter_is_named() -> None:
    with pytest.raises(TemplateFault, match="shout"):
        compile_template("{{ a|shout }}")


@pytest.mark.parametrize("tag", ["include 'x'", "extends 'x'", "import 'x' as y"])
def test_nothing_is_loaded_from_elsewhere(tag: str) -> None:
    with pytest.raises(TemplateFault, match="is not available"):
        compile_template(f"{{% {tag} %}}")


@pytest.mark.parametrize(
    "attack",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ a.append.__globals__ }}",
        "{{ a.append(1) }}",
        "{% for i in range(10**9) %}{% endfor %}",
        "{{ 10**(10**10) }}",
        "{{ 'x' * 10**9 }}",
        "{{ 10**9 * [0] }}",
        "{% set n = namespace(v=3) %}{% for i in range(99) %}{% set n.v = n.v * n.v %}{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}aaaaaaaaaa{% endfor %}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    ],
)
def test_hostile_templates_end_in_a_fault(attack: str) -> None:
    with pytest.raises(TemplateFault):
        render(attack, a=[1])


def test_variables_and_required_variables() -> None:
    template = compile_template(
        "{{ a }}{{ b|default(c) }}{% if d is defined %}{{ d.e }}{% else %}{{ f }}{% endif %}"
        "{% if g is undefined %}-{% else %}{{ g }}{% endif %}"
        "{{ h if h is defined and h > i else 0 }}"
        "{% for x in range(2) %}{{ x }}{% endfor %}{% set y = 1 %}{{ y }}"
    )
    assert template.variables == frozenset("abcdfghi")
    assert template.required == frozenset("acfi")
    assert template.render({"a": 1, "c": 2, "f": 3, "i": 0}) == "123-0011"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{{ a }}", "a"),
        (" {{-a_1-}}\n", "a_1"),
        ("{{ a }}.", None),
        ("{{ a.b }}", None),
        ("{{ a|upper }}", None),
        ("{{ true }}", None),
        ("{{ range }}", None),
        ("a", None),
    ],
)
def test_a_lone_variable_is_recognised(text: str, name: str | None) -> None:
    assert compile_template(text).lone_variable == name


@given(templates, st.dictionaries(names, json_values))
def test_no_template_raises_anything_but_a_fault(text: str, variables: dict[str, object]) -> None:
    try:
        template = compile_template(text)
        assert template.required <= template.variables
        text = template.render(variables)
    except TemplateFault:
        return
    assert isinstance(text, str)


@given(st.dictionaries(names.filter(str.isidentifier), st.text(), min_size=1))
def test_texts_are_put_in_as_they_are(variables: dict[str, str]) -> None:
    usable = {name: text for name, text in variables.items() if is_variable(name)}
    text = "|".join(f"{{{{ {name} }}}}" for name in usable)
    assert compile_template(text).render(usable) == "|".join(usable.values())


def is_variable(name: str) -> bool:
    try:
        return compile_template(f"{{{{ {name} }}}}").variables == {name}
    except TemplateFault:
        return False


def test_rendering_is_no_slower_than_plain_jinja() -> None:
    text = "Sort this message: {{ text }}\nInto one of: {{ labels }}\n"
    variables = {"text": "Where is my parcel?", "labels": "a, b, c"}
    plain = ImmutableSandboxedEnvironment().from_string(text)
    ours: Template = compile_template(text)
    fastest = min(timeit.repeat(lambda: ours.render(variables), number=500, repeat=5))
    assert fastest <= min(timeit.repeat(lambda: plain.render(variables), number=500, repeat=5))
