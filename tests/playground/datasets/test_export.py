"""Datasets as files, which an import reads back."""

import csv
import io
from typing import Any
from uuid import uuid4

import httpx2
import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.playground.conftest import Factory, Row
from tests.playground.datasets.files import CSV, JSONL, download, item, items, upload

from assay.core.database import Database
from assay.identity.actor import LOCAL_ACTOR
from assay.playground.datasets.exports.service import prepare_export, write_export
from assay.playground.datasets.imports.schemas import FileFormat

KINDS = {"csv": CSV, "jsonl": JSONL}


async def fill(make: Factory, rows: list[Row], use_case: str | None = None) -> Row:
    dataset = await make.dataset(use_case)
    await make.call("POST", f"/datasets/{dataset['id']}/items", 201, {"items": rows})
    return dataset


async def test_texts_stand_in_columns_of_their_names(
    make: Factory, client: httpx2.AsyncClient
) -> None:
    dataset = await fill(
        make,
        [
            item({"message": 'Say "hi",\nplease', "n": 1}, "a", None, {"source": "mail"}),
            item({"message": "=1+1"}, None, [{"type": "contains", "value": "x"}], {"by": "ada"}),
        ],
    )
    response = await download(client, dataset)
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert list(csv.reader(io.StringIO(response.text, newline=""))) == [
        [
            *("message", "__json:input.n", "expected_output", "__json:assertions"),
            *("__metadata:by", "__metadata:source"),
        ],
        ['Say "hi",\nplease', "1", "a", "", "", "mail"],
        ["=1+1", "", "", '[{"type": "contains", "value": "x"}]', "ada", ""],
    ]


async def test_json_lines_are_items(make: Factory, client: httpx2.AsyncClient) -> None:
    rows = [item({"a": "x\ny"}, None, None, {}), item({}, [1, None], [{"type": "is-json"}])]
    dataset = await fill(make, rows)
    response = await download(client, dataset, format="jsonl")
    assert response.headers["content-type"] == "application/x-ndjson"
    lines = [orjson.loads(line) for line in response.text.splitlines()]
    assert lines == [
        {"input": {"a": "x\ny"}, "metadata": {}},
        {"input": {}, "expected_output": [1, None], "assertions": [{"type": "is-json"}]},
    ]


async def test_a_version_is_exported_as_it_was(make: Factory, client: httpx2.AsyncClient) -> None:
    dataset = await fill(make, [item({"message": "one"}), item({"message": "two"})])
    listed = await make.call("GET", f"/datasets/{dataset['id']}/items", 200)
    one, two = (f"/dataset-items/{each['id']}" for each in listed)
    await make.call("PATCH", one, 200, {"input": {"message": 1}})
    await make.call("DELETE", two, 204)
    expected = {1: '"message"\n"one"\n"two"\n', 2: '"__json:input.message"\n"1"\n"""two"""\n'}
    expected[3] = '"__json:input.message"\n"1"\n'
    for version, file in expected.items():
        assert (await download(client, dataset, version=version)).text == file
    assert (await download(client, dataset)).text == expected[3]
    lines = (await download(client, dataset, version=1, format="jsonl")).text
    assert lines == '{"input": {"message": "one"}}\n{"input": {"message": "two"}}\n'
    path = f"/datasets/{dataset['id']}/export"
    assert (await make.call("GET", path, 404, version=4))["code"] == "not_found"
    await make.call("GET", path, 422, format="xml")
    await make.call("GET", f"/datasets/{uuid4()}/export", 404)


async def test_the_file_is_called_as_the_dataset(make: Factory, client: httpx2.AsyncClient) -> None:
    dataset = await make.dataset(name='März/"a"\r\nX-Evil: 1')
    response = await download(client, dataset, format="jsonl")
    assert response.headers["content-disposition"] == (
        'attachment; filename="M_rz__a___X-Evil_ 1 v0.jsonl"; '
        "filename*=UTF-8''M%C3%A4rz%2F%22a%22%0D%0AX-Evil%3A%201%20v0.jsonl"
    )
    assert response.headers["cache-control"] == "no-store"
    assert "x-evil" not in response.headers


@pytest.mark.parametrize("file_format", KINDS)
async def test_a_dataset_without_items_is_a_file_without_rows(
    make: Factory, client: httpx2.AsyncClient, file_format: str
) -> None:
    dataset = await make.dataset()
    response = await download(client, dataset, format=file_format)
    report = await upload(client, dataset, response.content, KINDS[file_format])
    assert report["items"] == 0


async def test_a_reader_that_goes_away_frees_the_connection(
    make: Factory, client: httpx2.AsyncClient, database: Database
) -> None:
    dataset = await make.dataset()
    await upload(client, dataset, b"message\n" + b"Where is my parcel?\n" * 100_000)
    for _ in range(20):
        async with database.reading() as session:
            export = await prepare_export(session, LOCAL_ACTOR, dataset["id"], FileFormat.jsonl)
        pieces = write_export(database, export)
        async for piece in pieces:
            if piece:
                break
        await pieces.aclose()  # type: ignore[attr-defined]  # an async generator has it
    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # of a queue pool
    response = await download(client, dataset, format="jsonl")
    assert response.text.count("\n") == 100_000


async def test_more_names_than_columns(make: Factory, client: httpx2.AsyncClient) -> None:
    rows = [item({f"name {n}": "x"}, None, None, {f"key {n}": "y"}) for n in range(510)]
    dataset = await fill(make, rows)
    response = await download(client, dataset)
    assert response.text.startswith('"__json:input","__json:metadata"\n')
    again = await make.dataset()
    await upload(client, again, response.content)
    assert await items(make, again) == rows


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
# What a reader of the file could take for something else.
ODD_NAMES = (
    *("message", "expected_output", "input", "metadata", "tags[]", "", " a", "a.b", "sep=;"),
    *("__expected", "__json:input.a", "a;b;c", 'say "x"', "it's", "back\\slash", "$1", "%s"),
    "\ufeffx",
)
NAME = TEXT | st.sampled_from(ODD_NAMES)
VALUE = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXT,
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3),
    max_leaves=5,
)
ASSERTIONS = st.lists(
    st.builds(lambda value: {"type": "contains", "value": value}, TEXT.filter(len)), max_size=2
)
MIXED = st.builds(
    item,
    st.dictionaries(NAME, VALUE, max_size=4),
    VALUE,
    st.none() | ASSERTIONS,
    st.none() | st.dictionaries(NAME, VALUE, max_size=3),
)
# As most datasets are: the same names everywhere, and text.
PLAIN = st.builds(
    item,
    st.fixed_dictionaries({"message": TEXT, "tone": TEXT}),
    st.none() | TEXT,
    st.none(),
    st.none() | st.dictionaries(st.sampled_from(["a", "b"]), TEXT, max_size=2),
)


@pytest.fixture
async def use_case(make: Factory) -> str:
    """Where all examples of a test put their datasets."""
    return str((await make.use_case())["id"])


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows=st.lists(MIXED, min_size=1, max_size=5) | st.lists(PLAIN, min_size=1, max_size=5))
@example(rows=[item({"a": 1}), item({})])
@example(rows=[item({"a": 1e308, "b": 1e20, "c": -1e300, "d": 5e-324, "e": 0.1})])
@example(rows=[item({"a": "\x1c"}, "", None, {"a": "\u00a0"})])
@example(rows=[item({"a": '\\"'}, "\\.", None, {"a": "\\."}), item({"a": "\\."})])
@example(rows=[item({"-": "-1"}, "@x", None, {"+": "+1"})])
async def test_what_is_exported_is_imported_as_the_same_items(
    make: Factory, client: httpx2.AsyncClient, use_case: str, rows: list[Row]
) -> None:
    dataset = await fill(make, rows, use_case)
    before = await items(make, dataset)
    for file_format, kind in KINDS.items():
        again = await make.dataset(use_case)
        file = (await download(client, dataset, format=file_format)).content
        await upload(client, again, file, kind)
        assert same(await items(make, again)) == same(before), file.decode()


def same(found: list[Row]) -> Any:
    """Values that can be told from one another: 1 is not 1.0, and not true."""
    return [orjson.dumps(each, option=orjson.OPT_SORT_KEYS) for each in found]
