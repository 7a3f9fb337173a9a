"""What comes with Assay for the apps that it knows: prompts and output schemas.

A folder for each app. A prompt is a Markdown file named after its type, with its name and
description in front of the text; a schema is a YAML file with the same name.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import yaml


class Defaults(StrEnum):
    """A kind of default, and how its files end."""

    prompts = ".md"
    schemas = ".yaml"


Fields = Mapping[str, Any]


@cache
def read_defaults(kind: Defaults) -> Mapping[str, Sequence[Fields]]:
    """The defaults of each app, in the order of their types, as fields of rows.

    Files are read the first time.
    """
    return {
        folder.name: [
            {"prompt_type": file.name.removesuffix(kind), **_READ[kind](file)}
            for file in sorted(folder.iterdir(), key=lambda file: file.name)
            if file.name.endswith(kind)
        ]
        for folder in files(__package__).iterdir()
        if folder.is_dir() and not folder.name.startswith("__")
    }


def _prompt(file: Traversable) -> Fields:
    _, head, text = file.read_text("utf-8").split("---\n", 2)
    return {**yaml.safe_load(head), "prompt": text.strip()}


def _schema(file: Traversable) -> Fields:
    fields: Fields = yaml.safe_load(file.read_text("utf-8"))
    return fields


_READ = {Defaults.prompts: _prompt, Defaults.schemas: _schema}
