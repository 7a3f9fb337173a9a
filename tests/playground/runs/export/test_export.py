"""Exports over HTTP: read by the programs that they are for."""

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from tests.playground.conftest import Factory
from tests.playground.stored_runs import store_run

from assay.core.database import Database
from assay.identity.actor import LOCAL_ACTOR
from assay.playground.datasets.models import DatasetItem
from assay.playground.runs.export import reading, table
from assay.playground.runs.models import EvalResult

ECHO, OTHER = "builtin/echo", "builtin/first-label"


class Parts:
    """A run of four items with two models: the third item fails, the fourth is an error."""

    run_id: str
    item_ids: list[str]

    def __init__(self, make: Factory, client: httpx2.AsyncClient, database: Database) -> None:
        self.make, self.client, self.database = make, client, database

    async def prepare(self) -> "Parts":
        use_case = await self.make.use_case()
        version = await self.make.version((await self.make.prompt(use_case["id"]))["id"])
        dataset = await self.make.dataset(use_case["id"])
        items = [
            {"input": {"message": 'a, "b"\nc', "n": 1}, "expected_output": "x"},
            {"input": {"message": "=1+1", "list": [1, {"a": None}]}, "expected_output": ["x"]},
            {"input": {"message": "ü"}, "metadata": {"description": "the <third> & last"}},
            {"input": {"message": "four"}},
        ]
        path = f"/datasets/{dataset['id']}/items"
        made = await self.make.call("POST", path, 201, {"items": items})
        self.item_ids = [item["id"] for item in made]
        outcomes = {
            model: [[True, True], [True, True], [True, False], [False, False]]
            for model in (ECHO, OTHER)
        }
        self.run_id = await store_run(
            self.database,
            version,
            dataset["id"],
            self.item_ids,
            outcomes,
            name="Export <1>",
            total=16,
            completed=16,
            passed=10,
            failed=2,
            errors=4,
        )
        async with self.database.session() as session:
            for result in await session.scalars(
                select(EvalResult).filter_by(
                    eval_run_id=UUID(self.run_id), dataset_item_id=UUID(self.item_ids[3])
                )
            ):
                result.error = "rate_limited: local/x says: slow down"
                result.output = result.grading = result.latency_ms = None
        return self

    async def set_output(self, item: int, output: str, reason: str = "") -> None:
        async with self.database.session() as session:
            for result in await session.scalars(
                select(EvalResult).filter_by(
                    eval_run_id=UUID(self.run_id), dataset_item_id=UUID(self.item_ids[item])
                )
            ):
                result.output = output
                if result.grading and not result.passed:
                    entries = [{**result.grading["assertions"][0], "reason": reason}]
                    result.grading = {**result.grading, "reason": reason, "assertions": entries}

    async def get(self, form: str, status: int = 200) -> httpx2.Response:
        path = f"/api/v1/eval-runs/{self.run_id}/export"
        response = await self.client.get(path, params={"format": form})
        assert response.status_code == status, response.text
        return response

    async def rows(self) -> list[dict[str, str]]:
        text = (await self.get("csv")).content.decode()
        return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture
async def parts(make: Factory, client: httpx2.AsyncClient, database: Database) -> Parts:
    return await Parts(make, client, database).prepare()


@pytest.fixture
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE", 3)


@pytest.mark.usefixtures("_small_pages")
async def test_a_table(parts: Parts) -> None:
    response = await parts.get("csv")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == (
        f'attachment; filename="run-{parts.run_id}.csv"'
    )
    rows = await parts.rows()
    assert len(rows) == 16
    assert list(rows[0]) == [
        "item_id",
        "input.list",
        "input.message",
        "input.n",
        *table.FIXED,
    ]
    assert [row["item_id"] for row in rows[::4]] == parts.item_ids
    assert [(row["model"], row["repetition"]) for row in rows[:4]] == [
        (ECHO, "0"),
        (ECHO, "1"),
        (OTHER, "0"),
        (OTHER, "1"),
    ]
    first, second, third, fourth = rows[0], rows[4], rows[9], rows[12]
    assert first["input.message"] == 'a, "b"\nc'
    assert (first["input.n"], first["input.list"], first["expected_output"]) == ("1", "", "x")
    assert (first["passed"], first["score"], first["latency_ms"]) == ("true", "1.0", "100.0")
    assert (first["cost"], first["error"], first["reasons"]) == ("0.5", "", "")
    assert second["input.message"] == "'=1+1", "a spreadsheet would reckon it"
    assert second["input.list"] == '[1,{"a":null}]'
    assert second["expected_output"] == '["x"]'
    assert third["passed"] == "false"
    assert third["reasons"] == "contains: The output does not contain x."
    assert fourth["error"] == "rate_limited: local/x says: slow down"
    assert (fourth["output"], fourth["latency_ms"]) == ("", "")


@pytest.mark.parametrize(
    ("output", "written"),
    [
        ("-5", "-5"),
        ("+1.5", "+1.5"),
        ("-5+cmd|' /C calc'!A0", "'-5+cmd|' /C calc'!A0"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\t=1"),
        ("a=b", "a=b"),
    ],
)
async def test_what_spreadsheets_would_run_is_made_text(
    parts: Parts, output: str, written: str
) -> None:
    await parts.set_output(0, output)
    assert (await parts.rows())[0]["output"] == written


async def test_too_many_variables_for_columns_are_one(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MOST_COLUMNS", 2)
    rows = await parts.rows()
    assert list(rows[0])[:3] == ["item_id", "input", "expected_output"]
    assert json.loads(rows[0]["input"]) == {"message": 'a, "b"\nc', "n": 1}


@pytest.mark.usefixtures("_small_pages")
async def test_lines_of_json(parts: Parts) -> None:
    response = await parts.get("jsonl")
    assert response.headers["content-type"] == "application/jsonl"
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert len(lines) == 16
    assert lines[4]["input"] == {"message": "=1+1", "list": [1, {"a": None}]}
    assert lines[4]["expected_output"] == ["x"]
    assert lines[9]["grading"]["reason"] == "The output does not contain x."
    assert lines[0]["request"]["messages"][0]["content"] == "the secret prompt"
    assert (lines[12]["output"], lines[12]["passed"]) == (None, False)
    assert lines[8]["metadata"] == {"description": "the <third> & last"}


@pytest.mark.usefixtures("_small_pages")
async def test_junit(parts: Parts) -> None:
    response = await parts.get("junit")
    assert response.headers["content-type"] == "application/xml"
    assert response.headers["content-disposition"].endswith('.xml"')
    root = ET.fromstring(response.content)
    [suite] = root.findall("testsuite")
    assert root.tag == "testsuites"
    assert suite.attrib["name"] == "Export <1>"
    assert suite.attrib["id"] == parts.run_id
    counts = [suite.attrib[name] for name in ("tests", "failures", "errors", "skipped")]
    assert counts == ["16", "2", "4", "0"]
    cases = suite.findall("testcase")
    assert len(cases) == 16
    assert len({(case.attrib["classname"], case.attrib["name"]) for case in cases}) == 16
    assert cases[0].attrib == {
        "classname": f"Intent v1 / {ECHO}",
        "name": '1. n: 1, message: a, "b" c',
        "time": "0.100",
    }
    assert cases[9].attrib["name"] == "3. the <third> & last (repetition 2)"
    [failure] = cases[9].findall("failure")
    assert failure.attrib == {"message": "The output does not contain x.", "type": "assertion"}
    assert failure.text == "contains: The output does not contain x.\n\nOutput:\nanswer 2"
    [error] = cases[12].findall("error")
    assert error.attrib == {"message": "local/x says: slow down", "type": "rate_limited"}
    assert sum(len(case) for case in cases) == 6


TEXT = st.text(
    st.one_of(
        st.sampled_from("\x01\x0b\x1b\x7f\ufffe\uffff]]><&\"'\r\n\t\U0001f600"),
        st.characters(codec="utf-8", exclude_characters="\x00"),
    ),
    max_size=40,
)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(output=TEXT, reason=TEXT)
async def test_any_text_survives_every_format(parts: Parts, output: str, reason: str) -> None:
    await parts.set_output(2, output, reason)
    junit = ET.fromstring((await parts.get("junit")).content)
    failure = junit.findall("testsuite/testcase")[9].find("failure")
    assert failure is not None
    assert failure.text is not None
    legal = "".join(
        char if char in "\t\n\r" or (" " <= char <= "\ufffd") or char > "\uffff" else "\ufffd"
        for char in output
    )
    assert failure.text.endswith(f"\nOutput:\n{legal}")
    line = json.loads((await parts.get("jsonl")).content.split(b"\n")[9])
    assert line["output"] == output
    assert (await parts.rows())[9]["output"].removeprefix("'") == output.removeprefix("'")


async def test_a_long_output_is_cut_in_junit_only(parts: Parts) -> None:
    await parts.set_output(2, "y" * 20_000)
    root = ET.fromstring((await parts.get("junit")).content)
    failure = root.findall("testsuite/testcase")[9].find("failure")
    assert failure is not None
    assert failure.text is not None
    assert "(cut; 20,000 characters in all)" in failure.text
    assert failure.text.count("y") == 10_000
    assert len((await parts.rows())[9]["output"]) == 20_000


async def test_no_connection_is_held_between_pages(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE", 3)
    async with parts.database.session() as session:
        exported = await reading.find_exported(session, LOCAL_ACTOR, UUID(parts.run_id))
    pages: AsyncIterator[Any] = reading.read_pages(parts.database, exported.run)
    seen = []
    async for page in pages:
        seen += page
        assert parts.database.engine.sync_engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    assert len(seen) == 16


async def test_items_are_exported_as_the_run_saw_them(parts: Parts) -> None:
    async with parts.database.session() as session:
        item = await session.get_one(DatasetItem, UUID(parts.item_ids[0]))
        item.deleted_in = 5
    assert len(await parts.rows()) == 16


async def test_faulty_exports(parts: Parts, make: Factory) -> None:
    assert (await parts.get("pdf", 422)).json()["errors"][0]["place"] == "query.format"
    await make.call("GET", f"/eval-runs/{uuid4()}/export", 404)
