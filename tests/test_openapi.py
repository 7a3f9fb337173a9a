"""openapi.json, from which clients are made: what the application says, whole and with examples."""

import contextlib
import importlib.util
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import jsonschema_rs
import pytest
from pydantic import TypeAdapter, ValidationError

from assay import app
from assay.core.schemas import Input
from assay.playground.datasets.imports.schemas import ImportParameters

ROOT = Path(__file__).parent.parent
DOCUMENT: dict[str, Any] = json.loads((ROOT / "openapi.json").read_text())
OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
# A handful that is known beforehand, a stream, and files.
NOT_IN_PAGES = {
    "providers:list_providers",
    "events:stream_events",
    "tasks:stream_events",
    "runs:export_run",
    "datasets:export_items",
    "app-files:download_file",
}
FILES_TAKEN = {"datasets:import_items"}
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
Node = dict[str, Any]


def resolve(reference: str) -> Any:
    """What a `$ref` points to."""
    node: Any = DOCUMENT
    for step in reference.removeprefix("#/").split("/"):
        node = node[step]
    return node


def nodes(node: Any, place: str = "#") -> Iterator[tuple[str, Node]]:
    """All objects of the document with their places, except what is inside of examples."""
    if isinstance(node, dict):
        yield place, node
        for name, inner in node.items():
            if name not in ("examples", "example", "default"):
                yield from nodes(inner, f"{place}/{name}")
    elif isinstance(node, list):
        for number, inner in enumerate(node):
            yield from nodes(inner, f"{place}/{number}")


@pytest.fixture
def script() -> ModuleType:
    """`scripts/openapi.py`."""
    spec = importlib.util.spec_from_file_location("openapi_script", ROOT / "scripts/openapi.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_file_is_what_the_application_says(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["openapi.py", "--check"])
    assert script.main() == 0, "run `make openapi`"


def test_a_difference_is_found_and_mended(
    script: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(script, "FILE", tmp_path / "openapi.json")
    for before in (None, "{}"):
        if before is not None:
            script.FILE.write_text(before)
        monkeypatch.setattr(sys, "argv", ["openapi.py", "--check"])
        assert script.main() == 1
        assert "make openapi" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["openapi.py"])
    assert script.main() == 0
    assert json.loads(script.FILE.read_text()) == DOCUMENT


def test_every_reference_leads_somewhere() -> None:
    references = [node["$ref"] for _, node in nodes(DOCUMENT) if "$ref" in node]
    assert references
    for reference in references:
        assert isinstance(resolve(reference), dict)


def test_no_schema_is_left_over() -> None:
    used = {node["$ref"].rpartition("/")[2] for _, node in nodes(DOCUMENT) if "$ref" in node}
    assert DOCUMENT["components"]["schemas"].keys() <= used


def test_every_name_of_an_operation_is_its_own() -> None:
    count = sum(len(methods) for methods in DOCUMENT["paths"].values())
    assert len(OPERATIONS) == count


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_described(name: str) -> None:
    _, _, operation = OPERATIONS[name]
    assert re.fullmatch("[a-z][a-z-]*:[a-z][a-z_]*", name)
    assert name.partition(":")[0] == operation["tags"][0]
    assert operation["summary"]
    assert operation["description"]
    assert "\n" not in operation["description"], "details for programmers have no place here"


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_errors_of_an_operation_are_problem_documents(name: str) -> None:
    _, path, operation = OPERATIONS[name]
    if operation["tags"] == ["health"]:
        assert operation["responses"].keys() == {"200", "503"}
        return
    errors = {status: entry for status, entry in operation["responses"].items() if status >= "4"}
    for entry in errors.values():
        assert entry["content"] == PROBLEM
        assert entry["description"]
    assert "422" in errors or not {"parameters", "requestBody"} & operation.keys()
    assert "404" in errors or "{" not in path
    public = operation.get("security") == []
    assert public or {"401", "403"} <= errors.keys()


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_says_what_it_takes_and_gives(name: str) -> None:
    method, path, operation = OPERATIONS[name]
    good = next(status for status in operation["responses"] if status < "4")
    assert ("content" in operation["responses"][good]) == (good != "204")
    if name in FILES_TAKEN:
        for media in operation["requestBody"]["content"].values():
            assert media["schema"] == {"type": "string"}
            assert media["example"]
    elif "application/json" in (content := operation.get("requestBody", {}).get("content", {})):
        schema = content["application/json"]["schema"]
        takes = [part for part in (schema, *schema.get("anyOf", ())) if "$ref" in part]
        assert takes
        for part in takes:
            assert resolve(part["$ref"]).get("examples"), "an example of the whole body"
    if method == "get" and path.startswith("/api/") and name not in NOT_IN_PAGES:
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        parameters = {entry["name"] for entry in operation.get("parameters", ())}
        pages = {"limit", "cursor" if path.startswith("/api/v1") else "offset"} <= parameters
        assert (schema.get("type") == "array") == pages, "each list is one in pages"


def test_examples_are_valid() -> None:
    faults, found = [], Counter[str]()
    for place, node in nodes(DOCUMENT):
        if not isinstance(node.get("examples"), list):
            continue
        schema = {**node, "components": DOCUMENT["components"]}
        validator = jsonschema_rs.validator_for(schema, validate_formats=True)
        for example in node["examples"]:
            found[place.split("/")[1]] += 1
            faults += [f"{place}: {error.message}" for error in validator.iter_errors(example)]
    assert faults == []
    assert found["components"] > 40


def test_defaults_are_valid() -> None:
    for place, node in nodes(DOCUMENT):
        if "default" in node and not place.endswith("/properties"):
            schema = {**node, "components": DOCUMENT["components"]}
            assert jsonschema_rs.validator_for(schema).is_valid(node["default"]), place


def bodies(model: type[Input] = Input) -> Iterator[type[Input]]:
    """All shapes of bodies, but those whose callers exist already, who may send what they sent."""
    for each in model.__subclasses__():
        # Its fields stand in a URL, where all is text.
        in_url = each is ImportParameters
        if not in_url and not each.__module__.startswith("assay.apps."):
            yield each
        yield from bodies(each)


@pytest.mark.parametrize("value", ["1", True])
def test_where_the_document_says_number_nothing_else_is_taken(value: object) -> None:
    assert app is not None, "all bodies are loaded"
    lax = []
    for model in set(bodies()):
        for name, field in model.model_fields.items():
            kind: Any = Annotated[(field.annotation, None, *field.metadata)]
            with contextlib.suppress(ValidationError):
                taken = TypeAdapter(kind).validate_python(value)
                # It stays what it is where it may be anything.
                if isinstance(taken, int | float) and type(taken) is not type(value):
                    lax.append(f"{model.__name__}.{name}")
    assert lax == []
