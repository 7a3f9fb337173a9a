"""Pages of large runs are read off indexes, whatever they are filtered and sorted by."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.database import Database
from assay.core.pagination import Page
from assay.identity.actor import LOCAL_ACTOR
from assay.playground.runs.results.matrix import MatrixShow, get_matrix
from assay.playground.runs.results.service import Order, ResultFilter, ResultSort, list_results

CELLS = "uq_eval_results_cell"
ERRORS = "ix_eval_results_error"
FAILED = "ix_eval_results_not_passed"
SCORE, COST, LATENCY = (f"ix_eval_results_{name}" for name in ("score", "cost", "latency"))

Ask = Callable[[AsyncSession, UUID], Awaitable[Any]]

# Three runs on one dataset, of which a hundredth are errors and a tenth has failed.
FILL = """
INSERT INTO playground.projects (id, name) VALUES (uuid_nil, 'p');
INSERT INTO playground.use_cases (id, project_id, name) VALUES (uuid_nil, uuid_nil, 'u');
INSERT INTO playground.prompts (id, use_case_id, name) VALUES (uuid_nil, uuid_nil, 'p');
INSERT INTO playground.prompt_versions (id, prompt_id, version_number, type, template_text)
VALUES (uuid_nil, uuid_nil, 1, 'text', '?');
INSERT INTO playground.datasets (id, use_case_id, name) VALUES (uuid_nil, uuid_nil, 'd');
INSERT INTO playground.dataset_items (id, dataset_id, input)
SELECT CAST(lpad(to_hex(number), 32, '0') AS uuid), uuid_nil, '{}'
FROM generate_series(1, 5000) AS number;
INSERT INTO playground.eval_runs (
    id, project_id, prompt_version_id, dataset_id, dataset_version, models, status,
    total, completed, passed, failed, errors, cost, shards_left
)
SELECT CAST(lpad(to_hex(number), 32, '0') AS uuid), uuid_nil, uuid_nil, uuid_nil, 0,
    '[{"model": "a/a"}, {"model": "b/b"}]', 'completed', 0, 0, 0, 0, 0, 0, 0
FROM generate_series(1, 3) AS number;
INSERT INTO playground.eval_results (
    id, eval_run_id, dataset_item_id, model_id, model_config, output, passed, score,
    latency_ms, cost, failed_assertions, error
)
SELECT gen_random_uuid(), run.id, item.id, model, '{}', repeat('answer ', 40), luck > 0.1, luck,
    luck, luck, CASE WHEN luck < 0.1 THEN '{equals}' ELSE CAST('{}' AS text[]) END,
    CASE WHEN luck > 0.99 THEN 'broken' END
FROM playground.eval_runs AS run, playground.dataset_items AS item,
    unnest(ARRAY['a/a', 'b/b']) AS model, LATERAL (
    SELECT random() + 0 * length(CAST(run.id AS text) || item.id || model) AS luck
);
""".replace("uuid_nil", "'00000000-0000-0000-0000-000000000000'")


@pytest.fixture(scope="module")
async def large(new_database_dsn: Callable[[], Any]) -> AsyncIterator[Database]:
    """A database with three large runs."""
    database = Database(await new_database_dsn())
    connection = await database.connect()
    # Or else rows do not count as visible to all before the log is written.
    await connection.execute("SET synchronous_commit = on")
    await connection.execute(FILL)
    await connection.execute("VACUUM (ANALYZE) playground.eval_results")
    await connection.close()
    yield database
    await database.dispose()


async def plan(database: Database, ask: Ask) -> str:
    """How the second statement is carried out: the first finds the run, the others the rows."""
    asked: list[tuple[str, Any]] = []

    def collect(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        asked.append((statement, parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", collect)
    async with database.session() as session:
        await session.execute(text("SELECT 1"))
        await ask(session, UUID(int=2))
    event.remove(engine, "before_cursor_execute", collect)
    statement, parameters = asked[2]
    connection = await database.connect()
    rows = await connection.fetch(f"EXPLAIN {statement}", *parameters)
    await connection.close()
    return "\n".join(row[0] for row in rows)


def results(
    sort: str = "item", order: str = "asc", cursor: str | None = None, **wanted: Any
) -> Ask:
    async def ask(session: AsyncSession, run_id: UUID) -> Any:
        return await list_results(
            session,
            LOCAL_ACTOR,
            Page(50, cursor),
            run_id,
            ResultFilter(**wanted),
            ResultSort(sort),
            Order(order),
        )

    return ask


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (results(), CELLS),
        (results(order="desc"), CELLS),
        (results(model="b/b"), CELLS),
        (results(passed=True), CELLS),
        (results(passed=False), FAILED),
        (results(repetition=0), CELLS),
        (results(item_id=UUID(int=77)), CELLS),
        (results(error=True), ERRORS),
        (results(error=False), CELLS),
        (results("score"), SCORE),
        (results("score", "desc", model="b/b"), SCORE),
        (results("cost", "desc"), COST),
        (results("latency"), LATENCY),
        (results("latency", error=True), ERRORS),
        (results("score", passed=False, model="a/a"), FAILED),
    ],
)
async def test_pages_of_results(large: Database, ask: Ask, index: str) -> None:
    found = await plan(large, ask)
    assert f"Scan using {index}" in found.replace("Backward ", ""), found
    assert "Seq Scan" not in found, found
    # Results themselves are read for no more than a page.
    assert "Index Only Scan" in found or "Sort" not in found, found


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (results(search="answer"), CELLS),
        (results("cost", search="answer"), COST),
        (results(failed_assertion="equals"), FAILED),
        (results("score", "desc", failed_assertion="equals"), FAILED),
    ],
)
async def test_pages_that_take_a_look_into_results(large: Database, ask: Ask, index: str) -> None:
    found = await plan(large, ask)
    assert f"Scan using {index}" in found.replace("Backward ", ""), found
    # What is looked into is found by its key, cell by cell.
    assert "Nested Loop" in found, found
    assert "Seq Scan" not in found, found


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize(
    ("sort", "index"),
    [("item", CELLS), ("score", SCORE), ("cost", COST), ("latency", LATENCY)],
)
async def test_later_pages_are_found_by_the_index(
    large: Database, sort: str, index: str, order: Order
) -> None:
    first = Page()
    async with large.session() as session:
        await list_results(
            session, LOCAL_ACTOR, first, UUID(int=2), sort=ResultSort(sort), order=order
        )
    found = await plan(large, results(sort, order, cursor=first.next_cursor))
    assert f"Scan using {index}" in found.replace("Backward ", ""), found
    assert "Sort" not in found, found
    [condition] = (line for line in found.splitlines() if "Index Cond" in line)
    assert "ROW(" in condition, found


@pytest.mark.parametrize("show", MatrixShow)
async def test_pages_of_the_matrix(large: Database, show: MatrixShow) -> None:
    async def ask(session: AsyncSession, run_id: UUID) -> Any:
        return await get_matrix(session, LOCAL_ACTOR, Page(), run_id, show)

    found = await plan(large, ask)
    index = FAILED if show is MatrixShow.failures else CELLS
    assert f"Index Only Scan using {index}" in found, found
    # In the order of the index, so that it ends with the page.
    assert "Sort" not in found, found
    assert "HashAggregate" not in found, found
