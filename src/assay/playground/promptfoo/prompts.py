"""The prompts of an evaluation file: inline, or in files beside it."""

import re
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from assay.core.problems import place as place_of
from assay.playground.promptfoo.document import parse_json, parse_yaml
from assay.playground.promptfoo.files import FILE, Files
from assay.playground.promptfoo.node import Node
from assay.playground.promptfoo.suite import SuiteFault, SuitePrompt
from assay.playground.prompts.models import PromptType
from assay.playground.prompts.versions.schemas import VersionCreate

TEXT_FILES = (".txt", ".md", ".j2")
CHAT_FILES = (".json", ".yaml", ".yml")
_SEPARATOR = re.compile(r"^\s*---\s*$", re.MULTILINE)
_CODE = re.compile(r"(?:exec|package):|(?:langfuse|portkey|helicone)://")
_REFUSED = {
    "config": "Parameters are given with a provider, as its config.",
    "content": "A chat is a list of messages, which is one entry in the list of prompts.",
    "function": "Code is not run: write the prompt as a template.",
    "role": "A chat is a list of messages, which is one entry in the list of prompts.",
}
MAX_NAME = 255


def read_prompts(node: Node, files: Files) -> list[SuitePrompt]:
    """The prompts, also those in other files."""
    entries = [node] if isinstance(node.value, str) else node.entries()
    if node.value == []:
        node.fault("This must hold at least one prompt.")
    prompts: list[SuitePrompt] = []
    for number, entry in enumerate(entries, start=1):
        for prompt in _read(entry, files, f"prompt {number}"):
            if any(prompt.name == other.name for other in prompts):
                entry.fault(f'There is another prompt called "{prompt.name}"; change a label.')
            prompts.append(prompt)
    return prompts


def _read(node: Node, files: Files, name: str) -> list[SuitePrompt]:
    source, label = node, ""
    if isinstance(node.value, dict):
        fields = node.fields(("label", "raw", "id"), _REFUSED)
        label = fields["label"].text() if "label" in fields else ""
        if "raw" not in fields and "id" not in fields:
            node.fault("This is missing: the text of the prompt, or file:// and its path.", ".raw")
            return []
        source = fields["raw"] if "raw" in fields else fields["id"]
        if source is not fields.get("raw") and not str(source.value).startswith(FILE):
            source.fault("This must be file:// and a path; a prompt's text goes into raw.")
            return []
    if isinstance(source.value, str) and source.value.startswith(FILE):
        return _from_files(source, files, label)
    prompt = _inline(source, label or name)
    return [prompt] if prompt else []


def _inline(node: Node, name: str) -> SuitePrompt | None:
    if isinstance(node.value, list):
        return _chat(node, name, node.value)
    text = node.text()
    if _CODE.match(text):
        node.refuse("Code and other systems are not called: write the prompt here or in a file.")
        return None
    if text.endswith((*TEXT_FILES, *CHAT_FILES)) and not re.search(r"\s", text):
        node.fault(f"If this is a file, write {FILE}{text}")
        return None
    return _from_text(node, name, text) if text else None


def _from_text(node: Node, name: str, text: str) -> SuitePrompt | None:
    """A prompt from a text, which may be a chat written as JSON or YAML."""
    start = text.lstrip()
    try:
        if start.startswith("[") and '"role"' in start:
            return _chat(node, name, parse_json(text))
        if start.startswith("- role:"):
            return _chat(node, name, parse_yaml(text))
    except ValueError as error:
        node.fault(
            f"This looks like a chat, but it cannot be read: {error} "
            "Templates have to stand inside the quotes of a text."
        )
        return None
    return _prompt(node, name, type=PromptType.text, template_text=text)


def _chat(node: Node, name: str, messages: Any) -> SuitePrompt | None:
    return _prompt(node, name, type=PromptType.chat, template_messages=messages)


def _prompt(node: Node, name: str, **version: Any) -> SuitePrompt | None:
    if len(name) > MAX_NAME:
        node.fault(f"The name of a prompt has at most {MAX_NAME} characters.")
    try:
        return SuitePrompt(name, VersionCreate(**version))
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            below = place_of(fault["loc"]).removeprefix("template_messages")
            node.fault(f"{fault['msg'].rstrip('.')}.", below.removeprefix("template_text"))
        return None


def _from_files(node: Node, files: Files, label: str) -> list[SuitePrompt]:
    try:
        names = files.matching(node.value.removeprefix(FILE))
    except SuiteFault as fault:
        node.fault(fault.detail)
        return []
    if not names:
        node.fault(f"No file matches {node.value.removeprefix(FILE)}.")
    prompts = []
    for name in names:
        title = label if label and len(names) == 1 else f"{label} {name}".strip()
        prompts += _from_file(node, files, name, title)
    return prompts


def _from_file(node: Node, files: Files, name: str, title: str) -> list[SuitePrompt]:
    suffix = PurePosixPath(name).suffix
    if suffix not in (*TEXT_FILES, *CHAT_FILES):
        known = ", ".join((*TEXT_FILES, *CHAT_FILES))
        node.refuse(f"Prompts come from files that end in {known}; code is not run.")
        return []
    try:
        text = files.read(name)
    except SuiteFault as fault:
        node.fault(fault.detail)
        return []
    if suffix in CHAT_FILES:
        prompts = [_chat_file(node, title, name, text)]
    else:
        texts = [text]
        if suffix == ".txt":
            # Only in these a line of three dashes stands between prompts, and blanks around
            # them do not count.
            texts = [part for piece in _SEPARATOR.split(text) if (part := piece.strip())]
        if not any(part.strip() for part in texts):
            node.fault(f"{name} is empty.")
            return []
        numbered = [title] if len(texts) == 1 else [f"{title} #{i + 1}" for i in range(len(texts))]
        prompts = [_from_text(node, n, part) for n, part in zip(numbered, texts, strict=True)]
    return [prompt for prompt in prompts if prompt]


def _chat_file(node: Node, title: str, name: str, text: str) -> SuitePrompt | None:
    try:
        messages = parse_json(text) if name.endswith(".json") else parse_yaml(text)
    except ValueError as error:
        node.fault(f"{name} cannot be read: {error}")
        return None
    if not isinstance(messages, list):
        node.fault(f"{name} must hold a chat: a list of messages with role and content.")
        return None
    return _chat(node, title, messages)
