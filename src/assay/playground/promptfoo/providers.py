"""The providers of an evaluation file as models by Assay's names."""

import re
from typing import Any

from assay.playground.promptfoo.node import Node
from assay.playground.promptfoo.suite import SuiteProvider

# promptfoo's `openai:chat:gpt-4.1` names the endpoint between provider and model.
_CHAT = {"chat", "messages"}
_EMBEDDINGS = {"embedding", "embeddings"}
_OTHER_ENDPOINTS = _EMBEDDINGS | {
    "assistant",
    "completion",
    "image",
    "moderation",
    "realtime",
    "responses",
    "speech",
    "transcription",
    "video",
}
_CODE = re.compile(r"(?:file|https?|wss?)://|(?:exec|python|javascript|ruby|golang|package|mcp):")
_REFUSED = {
    "delay": "A delay is not carried over: the pace is set by OPENAI_RPM, OPENAI_MAX_CONCURRENCY.",
    "env": "Set the variables in the environment, or in .env beside where assay is started.",
    "prompts": "Every provider gets every prompt: write a file for each group of providers.",
    "transform": "Code is not run: ask for the answer in the form that you want to grade.",
}
# What promptfoo keeps in `config` that is not a parameter of the request.
_SETTINGS = {
    "apiBaseUrl": "BASE_URL",
    "apiHost": "BASE_URL",
    "apiKey": "API_KEY",
    "apiKeyEnvar": "API_KEY",
}
MAX_NAME = 255


def read_providers(node: Node) -> list[SuiteProvider]:
    """The models to ask; each has a name of its own in results."""
    entries = [node] if isinstance(node.value, str | dict) else node.entries()
    providers = [provider for entry in entries if (provider := _read(entry)) is not None]
    if node.value == []:
        node.fault("This must name at least one model, such as openai/gpt-4.1-mini.")
    seen: dict[str, str] = {}
    for provider in providers:
        name = provider.label or provider.model
        if name in seen:
            node.at(provider.place.removeprefix(node.place), None).fault(
                f'"{name}" is at {seen[name]} already; give one of them a label of its own.'
            )
        seen.setdefault(name, provider.place)
    return providers


def _read(node: Node) -> SuiteProvider | None:
    if isinstance(node.value, str):
        model = _model_name(node)
        return SuiteProvider(node.place, model, None, {}) if model else None
    fields = node.fields(("id", "label", "config"), _REFUSED)
    if "id" not in fields:
        if isinstance(node.value, dict):
            node.fault("This is missing: the model, such as openai/gpt-4.1-mini.", ".id")
        return None
    model = _model_name(fields["id"])
    label = fields["label"].text() if "label" in fields else None
    if len(label or "") > MAX_NAME:
        fields["label"].fault(f"This must have at most {MAX_NAME} characters.")
    parameters = _parameters(fields["config"], model) if "config" in fields else {}
    return SuiteProvider(node.place, model, label, parameters) if model else None


def read_judge(node: Node, *, embedding: bool) -> dict[str, Any] | None:
    """A judge as an object with `id` and `config`; `None` after a fault.

    `embedding` says that it makes embeddings, which promptfoo puts into its name.
    """
    if isinstance(node.value, str):
        model = _model_name(node, embedding=embedding)
        return {"id": model, "config": {}} if model else None
    fields = node.fields(("id", "config"), {**_REFUSED, "label": "A judge goes by its id."})
    if "id" not in fields:
        if isinstance(node.value, dict):
            node.fault("This is missing: the model, such as openai/gpt-4.1-mini.", ".id")
        return None
    model = _model_name(fields["id"], embedding=embedding)
    parameters = _parameters(fields["config"], model) if "config" in fields else {}
    return {"id": model, "config": parameters} if model else None


def _parameters(node: Node, model: str) -> dict[str, Any]:
    given = node.object()
    parameters = {}
    prefix = (model.partition("/")[0] or "openai").upper().replace("-", "_")
    for name, value in given.items():
        if name in _SETTINGS:
            node.refuse(f"Set {prefix}_{_SETTINGS[name]} in the environment instead.", f".{name}")
        elif isinstance(value, str) and ("file://" in value or "{{" in value):
            node.refuse("Files and templates are not filled in here.", f".{name}")
        else:
            parameters[name] = value
    return parameters


def _model_name(node: Node, *, embedding: bool = False) -> str:
    """`provider/model` for a name in that form or in promptfoo's; empty after a fault."""
    name = node.text().strip()
    try:
        return _translated(name, embedding=embedding) if name else ""
    except ValueError as error:
        node.refuse(str(error))
        return ""


def _translated(name: str, *, embedding: bool) -> str:
    if _CODE.match(name):
        raise ValueError(
            "Code and addresses are not called: name a model as provider/model; a server that "
            "speaks the OpenAI chat protocol is reached with OPENAI_BASE_URL."
        )
    if len(name) > MAX_NAME or "{{" in name:
        raise ValueError(f"A model's name has at most {MAX_NAME} characters and no template in it.")
    if name == "echo":
        return "builtin/echo"
    separator = re.search("[/:]", name)
    if separator is None or separator.start() == 0:
        raise ValueError("A model is named provider/model, such as openai/gpt-4.1-mini.")
    return name if separator[0] == "/" else _from_colons(name, embedding=embedding)


def _from_colons(name: str, *, embedding: bool) -> str:
    provider, _, model = name.partition(":")
    endpoint, _, rest = model.partition(":")
    if embedding and endpoint in _EMBEDDINGS and rest:
        return f"{provider}/{rest}"
    if endpoint in _OTHER_ENDPOINTS:
        raise ValueError(
            f"Assay asks chat models, not {provider}:{endpoint}: write "
            f"{provider}/{rest or 'MODEL'} if that model chats."
        )
    model = rest if endpoint in _CHAT else model
    if not model:
        raise ValueError(f"Name the model too, as {provider}/MODEL.")
    return f"{provider}/{model}"
