"""Items from files over HTTP."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx2
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.playground.conftest import Factory
from tests.playground.datasets.files import CSV, JSONL, item, items, upload
from tests.playground.datasets.importing import STRICT, version_of


async def test_columns_are_variables_and_expected_output(
    make: Factory, client: httpx2.AsyncClient
) -> None:
    dataset = await make.dataset()
    file = 'message,tone,expected_output\n"Where, oh\nwhere?",,delivery\n\nI want "2",x,\n'
    report = await upload(client, dataset, file)
    assert report == {"items": 2, "refused": 0, "refusals": [], "left_out": [], "version": 1}
    assert await items(make, dataset) == [
        item({"message": "Where, oh\nwhere?", "tone": ""}, "delivery"),
        item({"message": 'I want "2"', "tone": "x"}),
    ]
    assert (await upload(client, dataset, file))["version"] == 2


async def test_the_columns_of_promptfoo(make: Factory, client: httpx2.AsyncClient) -> None:
    dataset = await make.dataset()
    file = (
        "message,__expected,__expected2,__description,__metadata:topic,__metadata:tags[],"
        "__prefix,__threshold,\n"
        'hi,contains: hi,polite,greets,manners,"a, b\\,c",Say,0.5,\n'
        "bye,similar(0.5): farewell,,,,,,,\n"
    )
    report = await upload(client, dataset, file)
    assert {each["column"] for each in report["left_out"]} == {"__prefix", "column 9"}
    two = [{"type": "contains", "value": "hi"}, {"type": "equals", "value": "polite"}]
    metadata = {"topic": "manners", "tags": ["a", "b,c"], "description": "greets"}
    assert await items(make, dataset) == [
        item(
            {"message": "hi"},
            None,
            [{"type": "assert-set", "assert": two, "threshold": 0.5}],
            metadata,
        ),
        item(
            {"message": "bye"}, None, [{"type": "similar", "value": "farewell", "threshold": 0.5}]
        ),
    ]


async def test_a_mapping_says_where_columns_go(make: Factory, client: httpx2.AsyncClient) -> None:
    dataset = await make.dataset()
    file = (
        "q,a,src,n,checks,secret,rest,plain\n"
        'Where?,delivery,mail,3,"[{""type"":""contains"",""value"":""x""}]",s,"{""z"":null}",p\n'
        "Why?,,,,,,,\n"
    )
    mapping = {
        "q": "input.question",
        "a": "expected_output",
        "src": "metadata.source",
        "n": "json:input.count",
        "checks": "assertions",
        "secret": None,
        "rest": "input",
    }
    await upload(client, dataset, file, mapping=orjson.dumps(mapping).decode())
    assert await items(make, dataset) == [
        item(
            {"question": "Where?", "count": 3, "z": None, "plain": "p"},
            "delivery",
            [{"type": "contains", "value": "x"}],
            {"source": "mail"},
        ),
        item({"question": "Why?", "plain": ""}),
    ]


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("{", "query.mapping: Not valid JSON"),
        ("[]", "query.mapping: Takes an object"),
        ('{"q": 1}', "query.mapping.q: Takes input.NAME"),
        ('{"q": "output"}', "query.mapping.q: A column cannot go to 'output'"),
        ('{"nothing": "input.a"}', "nothing: there is no such column"),
    ],
)
async def test_faulty_mappings(
    make: Factory, client: httpx2.AsyncClient, mapping: str, said: str
) -> None:
    dataset = await make.dataset()
    problem = await upload(client, dataset, "q\nx\n", status=422, mapping=mapping)
    assert problem["code"] == "mapping"
    [fault] = problem["errors"]
    assert f"{fault['place']}: {fault['message']}".startswith(said)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
async def test_delimiter_and_encoding_are_found(
    make: Factory, client: httpx2.AsyncClient, delimiter: str, encoding: str
) -> None:
    dataset = await make.dataset()
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, lineterminator="\r\n")
    # What is not ASCII comes late.
    rows = [[f"message {number}, yes; or|no", "tone"] for number in range(3000)]
    rows.append(["Größe: 5 €, für Zoë", "ü"])
    writer.writerows([["message", "tone"], *rows])
    await upload(client, dataset, written.getvalue().encode(encoding))
    found = [
        [each["input"]["message"], each["input"]["tone"]] for each in await items(make, dataset)
    ]
    assert found == rows


async def test_delimiter_and_encoding_can_be_said(
    make: Factory, client: httpx2.AsyncClient
) -> None:
    dataset = await make.dataset()
    content = "a,b;c\nx,y;ü\n".encode("cp1252")
    await upload(client, dataset, content, delimiter="semicolon", encoding="windows-1252")
    await upload(client, dataset, content, f"{CSV}; charset=latin1", delimiter="semicolon")
    assert await items(make, dataset) == [item({"a,b": "x,y", "c": "ü"})] * 2
    problem = await upload(client, dataset, content, f"{CSV}; charset=koi8-r", status=422)
    assert "koi8-r is not read" in problem["detail"]
    problem = await upload(client, dataset, content, encoding="utf-8", status=422)
    assert problem["code"] == "not_text"
    assert problem["errors"][0]["place"] == "byte 10"
    await upload(client, dataset, "sep=|\na|b;c;d\nx|y\n")
    assert (await items(make, dataset))[-1] == item({"a": "x", "b;c;d": "y"})


async def test_json_lines_are_items_or_variables(make: Factory, client: httpx2.AsyncClient) -> None:
    dataset = await make.dataset()
    lines = [
        item({"message": "m", "n": [1, {"a": None}]}, {"x": 1}, [{"type": "is-json"}], {"k": []}),
        item({}),
        {"input": {"only": "input"}},
        {"question": "Why?", "input": "text", "n": None, "expected_output": 3, "metadata": 1},
        {"q": "x", "__expected": "contains: y", "__metadata:k": 5},
    ]
    content = b"\r\n\n".join(map(orjson.dumps, lines))
    await upload(client, dataset, content, JSONL)
    assert await items(make, dataset) == [
        *lines[:2],
        item({"only": "input"}),
        item({"question": "Why?", "input": "text", "n": None, "metadata": 1}, 3),
        item({"q": "x"}, None, [{"type": "contains", "value": "y"}], {"k": "5"}),
    ]


async def test_json_lines_with_a_mapping(make: Factory, client: httpx2.AsyncClient) -> None:
    dataset = await make.dataset()
    mapping = '{"q": "input.message", "input": "metadata", "x": null}'
    content = b'{"q": 1, "input": {"a": 2}, "x": 3}\n{"y": 4}'
    await upload(client, dataset, content, JSONL, mapping=mapping)
    assert await items(make, dataset) == [
        item({"message": 1}, None, None, {"a": 2}),
        item({"y": 4}),
    ]


@pytest.mark.parametrize(
    ("kind", "content", "refused"),
    [
        (CSV, "a,b\n1\n", [(2, "", "The row has 1 cells, and the header 2")]),
        (CSV, 'a\n"x\ny"\n1,2\n', [(4, "", "The row has 2 cells, and the header 1")]),
        (CSV, 'a,b\n"x"y,1\nfine,1\n', [(2, "", "text follows a closing quote")]),
        (CSV, 'a,b\nfine,1\n"x,1\n', [(3, "", "a quote is opened and never closed")]),
        (CSV, "a\nx\0y\n", [(2, "input.a", "Text must not contain the NUL")]),
        (CSV, "a,__json:input.b\nx,{\n", [(2, "__json:input.b", "Not valid JSON")]),
        (CSV, "a,__json:input\nx,[]\n", [(2, "__json:input", "This must be an object.")]),
        (CSV, "a,__json:assertions\nx,3\n", [(2, "assertions", "Input should be a valid")]),
        (CSV, "a,__expected\nx,regex: [\n", [(2, "assertions[0].value", "")]),
        (CSV, "a,__expected\nx,fn: 1\n", [(2, "__expected", "javascript is not carried over.")]),
        (CSV, "a,__expected,__threshold\nx,y,z\n", [(2, "__threshold", "'z' is not a number")]),
        (JSONL, '{"a": 1}\n{\n', [(2, "", "Not valid JSON")]),
        (JSONL, "\n[1]\n", [(2, "", "Each line must be a JSON object.")]),
        (JSONL, '{"input": {}, "output": 1}', [(1, "output", "An item has no such field")]),
        (JSONL, '{"input": {}, "metadata": 1}', [(1, "metadata", "This must be an object.")]),
        (JSONL, '{"a": "\\u0000"}', [(1, "", "Not valid JSON: Text must not contain the NUL")]),
        (JSONL, '{"a": 18446744073709551616}', [(1, "", "Not valid JSON: integers must fit")]),
        (JSONL, '{"a": "\\ud800"}', [(1, "", "Not valid JSON")]),
        (JSONL, b'{"a": "\xff"}', [(1, "", "Not valid JSON")]),
        (JSONL, '{"a": NaN}', [(1, "", "Not valid JSON")]),
        (JSONL, '{"a":' * 101 + "1" + "}" * 101, [(1, "", "Not valid JSON: JSON must not be")]),
        (JSONL, "[" * 100_000, [(1, "", "Not valid JSON")]),
        (JSONL, '{"a": 1, "__suffix": "x"}', [(1, "__suffix", "This is not carried over.")]),
        (JSONL, '{"a": 1, "__expected": [1]}', [(1, "__expected", "This must be text.")]),
    ],
)
async def test_rows_that_cannot_be_items_are_named(
    make: Factory,
    client: httpx2.AsyncClient,
    kind: str,
    content: Any,
    refused: list[tuple[int, str, str]],
) -> None:
    dataset = await make.dataset()
    problem = await upload(client, dataset, content, kind, status=422)
    assert problem["code"] == "rows_refused"
    report = await upload(client, dataset, content, kind, partial=True)
    assert report["refused"] == len(refused)
    for refusal, fault, (line, place, message) in zip(
        report["refusals"], problem["errors"], refused, strict=True
    ):
        assert (refusal["line"], refusal["place"]) == (line, place)
        assert refusal["message"].startswith(message)
        assert fault["message"] == refusal["message"]
        assert fault["place"] == ", ".join(filter(None, [f"line {line}", place]))


async def test_rows_are_held_against_the_schemas(make: Factory, client: httpx2.AsyncClient) -> None:
    dataset = await make.dataset(**STRICT)
    file = "message,expected_output\nfine,a\ntoo long,c\nfine,\ntoo long,a\n"
    problem = await upload(client, dataset, file, status=422)
    assert problem["detail"] == "2 rows do not fit, so nothing was imported; 2 would."
    assert [fault["place"] for fault in problem["errors"]] == [
        "line 3, input.message",
        "line 5, input.message",
    ]
    assert await items(make, dataset) == []
    assert await version_of(make, dataset) == 0
    report = await upload(client, dataset, file, partial=True)
    assert (report["items"], report["refused"], report["version"]) == (2, 2, 1)
    assert await items(make, dataset) == [item({"message": "fine"}, "a"), item({"message": "fine"})]


async def test_the_first_hundred_faults_are_listed(
    make: Factory, client: httpx2.AsyncClient
) -> None:
    dataset = await make.dataset(**STRICT)
    file = "message\n" + "too long\n" * 5000 + "fine\n" * 5000
    problem = await upload(client, dataset, file, status=422)
    assert problem["detail"] == "5,000 rows do not fit, so nothing was imported; 5,000 would."
    assert len(problem["errors"]) == 100
    report = await upload(client, dataset, file, partial=True)
    assert (report["items"], report["refused"], len(report["refusals"])) == (5000, 5000, 100)


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (b"a\nx\n", "application/json", "format_unknown"),
        (b"a\nx\n", "", "format_unknown"),
        (b"", CSV, "invalid"),
        (b"a,a\nx,y\n", CSV, "mapping"),
        (b"__json:output\nx\n", CSV, "mapping"),
        (b"a\nx\xfcy\n", f"{CSV}; charset=utf-8", "not_text"),
        (b"a\n\xff\xfe\x81", CSV, "not_text"),
    ],
)
async def test_files_that_cannot_be_read(
    make: Factory, client: httpx2.AsyncClient, content: bytes, kind: str, code: str
) -> None:
    dataset = await make.dataset()
    problem = await upload(client, dataset, content, kind, status=422)
    assert problem["code"] == code
    assert await items(make, dataset) == []


async def test_nothing_to_import_is_no_version(make: Factory, client: httpx2.AsyncClient) -> None:
    dataset = await make.dataset()
    for content, kind in ((b"a,b\n", CSV), (b"\n", JSONL), (b"", JSONL)):
        report = await upload(client, dataset, content, kind)
        assert (report["items"], report["version"]) == (0, 0)
    await upload(client, {"id": str(uuid4())}, b"a\nx\n", status=404)


async def test_a_row_that_never_ends_does_not_fill_the_memory(
    make: Factory, client: httpx2.AsyncClient
) -> None:
    dataset = await make.dataset()

    async def endless(start: bytes, piece: bytes) -> AsyncIterator[bytes]:
        yield start
        for _ in range(40):
            yield piece * (1 << 20)

    for start, piece, kind, said in (
        (b'a,b\n"', b"x", CSV, "A row from line 1 on has more than 16,777,216 characters"),
        (b'a,b\n"', b"\n", CSV, "A row does not fit"),
        (b'{"a": "', b"x", JSONL, "A line has more than 16,777,216 bytes"),
    ):
        problem = await upload(client, dataset, endless(start, piece), kind, status=422)
        assert problem["detail"].startswith(said)


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
)
async def test_any_cells_are_read_as_they_were_written(
    make: Factory,
    client: httpx2.AsyncClient,
    rows: list[tuple[str, str]],
    delimiter: str,
    line_end: str,
    sizes: list[int],
) -> None:
    """Whatever stands in them, and wherever the file is cut into pieces."""
    dataset = await make.dataset()
    written = io.StringIO()
    writer = csv.writer(
        written, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL
    )
    writer.writerows([("first", "second"), *rows])
    content = written.getvalue().encode()

    async def pieces() -> AsyncIterator[bytes]:
        place = 0
        for size in sizes:
            yield content[place : place + size]
            place += size
        yield content[place:]

    await upload(client, dataset, pieces())
    found = await items(make, dataset)
    assert [(each["input"]["first"], each["input"]["second"]) for each in found] == rows
