from typing import Any

import pytest

from assay.core.templates import TemplateFault
from assay.playground.prompts.rendering import PromptRenderer


def test_text_becomes_one_message_of_the_user() -> None:
    renderer = PromptRenderer("text", "Hello {{ name }}", None)
    assert renderer.render({"name": "Ada"}) == [{"role": "user", "content": "Hello Ada"}]
    assert renderer.variables == renderer.required == {"name"}


def test_every_text_in_the_parts_is_filled_in() -> None:
    parts: list[dict[str, Any]] = [
        {"type": "text", "text": "{{ a }}"},
        {"type": "image_url", "image_url": {"url": "data:{{ b }}", "detail": "low"}},
    ]
    renderer = PromptRenderer("chat", None, [{"role": "user", "content": parts}])
    assert renderer.variables == {"a", "b"}
    assert renderer.render({"a": "1", "b": "2"}) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "1"},
                {"type": "image_url", "image_url": {"url": "data:2", "detail": "low"}},
            ],
        }
    ]
    assert parts[0]["text"] == "{{ a }}"


def test_what_has_no_markup_is_handed_out_as_it_is() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "}} {"}]},
        {"role": "user", "content": "{{ a }}"},
    ]
    rendered = PromptRenderer("chat", None, messages).render({"a": "b"})
    assert rendered[0] is messages[0]
    assert rendered[1] is messages[1]


def test_optional_variables_are_not_required() -> None:
    renderer = PromptRenderer("text", "{{ a | default('x') }} {{ b }}", None)
    assert renderer.variables == {"a", "b"}
    assert renderer.required == {"b"}
    assert renderer.render({"b": 1})[0]["content"] == "x 1"


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(TemplateFault, match='"b" is missing'):
        PromptRenderer("text", "{{ a }} {{ b }}", None).render({"a": 1})


def test_syntax_errors_name_their_places() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "{{"},
        {"role": "user", "content": [{"type": "text", "text": "\n{% end %}"}]},
    ]
    with pytest.raises(TemplateFault) as caught:
        PromptRenderer("chat", None, messages)
    assert [(fault.place, fault.message[:6]) for fault in caught.value.errors] == [
        ("template_messages[0].content", "Line 1"),
        ("template_messages[1].content[0].text", "Line 2"),
    ]
