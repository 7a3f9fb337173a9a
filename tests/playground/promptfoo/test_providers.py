from collections.abc import Callable

import pytest

from assay.playground.promptfoo.suite import Suite


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("openai/gpt-4.1", "openai/gpt-4.1"),
        ("openai:gpt-4.1", "openai/gpt-4.1"),
        ("openai:chat:gpt-4.1", "openai/gpt-4.1"),
        ("openai:chat:ft:gpt-4.1:acme::id", "openai/ft:gpt-4.1:acme::id"),
        ("anthropic:messages:claude-haiku-4-5", "anthropic/claude-haiku-4-5"),
        ("ollama/llama3.2:1b", "ollama/llama3.2:1b"),
        ("ollama:chat:llama3.2:1b", "ollama/llama3.2:1b"),
        ("ollama:llama3.2:1b", "ollama/llama3.2:1b"),
        ("openrouter:meta/llama-4", "openrouter/meta/llama-4"),
        ("openrouter/meta/llama-4", "openrouter/meta/llama-4"),
        ("echo", "builtin/echo"),
        (" builtin/echo ", "builtin/echo"),
    ],
)
def test_names(read: Callable[..., Suite], name: str, model: str) -> None:
    assert [p.model for p in read(f"providers: ['{name}']").providers] == [model]
    assert [p.model for p in read(f"providers: '{name}'").providers] == [model]
    assert [p.model for p in read(f"providers: [{{id: '{name}'}}]").providers] == [model]


@pytest.mark.parametrize(
    ("providers", "place", "message"),
    [
        ("[gpt-4.1]", "providers[0]", "named provider/model"),
        ("[/gpt-4.1]", "providers[0]", "named provider/model"),
        ("['']", "providers[0]", "not empty"),
        ("[5]", "providers[0]", "must be an object"),
        ("['openai:chat']", "providers[0]", "openai/MODEL"),
        ("['openai:image:dall-e-3']", "providers[0]", "write openai/dall-e-3 if that model chats"),
        ("['file://provider.py']", "providers[0]", "OPENAI_BASE_URL"),
        ("['https://example.com/api']", "providers[0]", "OPENAI_BASE_URL"),
        ("['exec:./run.sh']", "providers[0]", "Code and addresses are not called"),
        ("['openai:{{env.MODEL}}']", "providers[0]", "no template"),
        ("[{label: x}]", "providers[0].id", "missing"),
        ("[{id: openai/a, prompts: [x]}]", "providers[0].prompts", "Every provider"),
        ("[{id: openai/a, lable: x}]", "providers[0].lable", "Did you mean label?"),
        ("[{id: openai/a, config: 5}]", "providers[0].config", "must be an object"),
        (
            "[{id: groq/a, config: {apiKey: secret-value}}]",
            "providers[0].config.apiKey",
            "Set GROQ_API_KEY in the environment",
        ),
        (
            "[{id: openai/a, config: {stop: '{{env.X}}'}}]",
            "providers[0].config.stop",
            "not filled in",
        ),
        ("[openai/a, {id: 'openai:a'}]", "providers[1]", "at providers[0] already"),
    ],
)
def test_faults(
    faults: Callable[..., dict[str, str]], providers: str, place: str, message: str
) -> None:
    found = faults(f"providers: {providers}")
    assert message in found[place]
    assert "secret-value" not in str(found)


def test_labels_tell_twins_apart(read: Callable[..., Suite]) -> None:
    suite = read("providers: [echo, {id: echo, label: warm, config: {temperature: 1}}]")
    assert [(p.model, p.label) for p in suite.providers] == [
        ("builtin/echo", None),
        ("builtin/echo", "warm"),
    ]
