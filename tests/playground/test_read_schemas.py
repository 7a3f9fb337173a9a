"""Read schemas say what the tables hold: the same names, and null where a column can be null."""

from types import NoneType
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from sqlalchemy import inspect

from assay.core.database import Base
from assay.playground.datasets.items.schemas import ItemRead
from assay.playground.datasets.models import Dataset, DatasetItem
from assay.playground.datasets.schemas import DatasetRead
from assay.playground.projects.models import Project, UseCase
from assay.playground.projects.schemas import ProjectRead, UseCaseRead
from assay.playground.prompts.models import Prompt, PromptVersion
from assay.playground.prompts.schemas import PromptRead
from assay.playground.prompts.versions.schemas import VersionRead
from assay.playground.runs.models import EvalResult
from assay.playground.runs.results.schemas import EvalResultRead

PAIRS: list[tuple[type[Base], type[BaseModel]]] = [
    (Project, ProjectRead),
    (UseCase, UseCaseRead),
    (Prompt, PromptRead),
    (PromptVersion, VersionRead),
    (Dataset, DatasetRead),
    (DatasetItem, ItemRead),
    (EvalResult, EvalResultRead),
]
NOT_SHOWN = {"last_version_number", "created_in", "changed_in", "deleted_in"}


@pytest.mark.parametrize(("model", "read"), PAIRS)
def test_parity(model: type[Base], read: type[BaseModel]) -> None:
    mapper = inspect(model)
    fields = {field.validation_alias or name: field for name, field in read.model_fields.items()}
    assert fields.keys() <= set(mapper.attrs.keys())
    columns = {
        attribute.key: column
        for attribute in mapper.column_attrs
        if (column := mapper.columns.get(attribute.key)) is not None
        and column.key in mapper.local_table.c
    }
    assert columns.keys() - fields.keys() <= NOT_SHOWN
    for name in columns.keys() & fields.keys():
        annotation = fields[name].annotation
        takes_null = annotation is Any or NoneType in get_args(annotation)
        assert takes_null == columns[name].nullable, name
