"""Listings as a front end uses them."""

import asyncio
from typing import Any
from uuid import UUID

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text
from tests.apps.listings.conftest import URL, make
from tests.identity.people import Installation, installed

from assay.apps.listings.models import Listing
from assay.core.config import Settings
from assay.core.database import Database
from assay.identity.actor import Role

SHOWN = {
    "id",
    "app_id",
    "title",
    "status",
    "source_type",
    "audio_file",
    "transcript_file",
    "structured_json_file",
    "created_at",
    "updated_at",
    "user_id",
}


GIVEN: dict[str, Any] = {
    "app_id": "voice-rx",
    "title": "Visit of March 3",
    "status": "processing",
    "source_type": "recording",
    "audio_file": {"id": "0197a4f0-5c1e-7d0a-9c55-0d1b8a1e2f3c", "name": "visit.mp3"},
    "transcript_file": {"file_id": "0197a4f0-5c1e-7d0a-9c55-0d1b8a1e2f3d"},
    "structured_json_file": {"name": "kept elsewhere"},
    "transcript": {"segments": [{"speaker": "doctor", "text": "Good morning."}]},
    "api_response": {"model": "x", "nested": {"deep": [1, 2.5, None, True]}},
    "structured_output_references": [{"name": "reference"}],
    "structured_outputs": [{"name": "output"}, "text", 5],
    "ai_eval": {"score": 0.5},
    "human_eval": {"score": 1},
    "evaluator_runs": [{"evaluator": "a", "result": {}}],
}


EMPTY: dict[str, Any] = {
    "title": "",
    "status": "draft",
    "source_type": "upload",
    "audio_file": None,
    "transcript_file": None,
    "structured_json_file": None,
    "transcript": None,
    "api_response": None,
    "structured_output_references": [],
    "structured_outputs": [],
    "ai_eval": None,
    "human_eval": None,
    "evaluator_runs": [],
}


SET_BY_SERVER = {"id", "created_at", "updated_at", "user_id"}


async def test_a_listing_has_every_field(client: httpx2.AsyncClient) -> None:
    made = await make(client, **GIVEN)
    assert made.keys() == GIVEN.keys() | SET_BY_SERVER
    assert {name: made[name] for name in GIVEN} == GIVEN
    assert made["user_id"] == "default"
    answer = await client.get(f"{URL}/{made['id']}", params={"app_id": "voice-rx"})
    assert answer.status_code == 200
    assert answer.json() == made


async def test_what_is_not_sent_has_defaults(client: httpx2.AsyncClient) -> None:
    made = await make(client)
    assert {name: made[name] for name in EMPTY} == EMPTY


async def test_only_the_fields_that_are_sent_change(client: httpx2.AsyncClient) -> None:
    made = await make(client, **GIVEN)
    path = f"{URL}/{made['id']}"
    answer = await client.put(path, json={})
    assert answer.status_code == 200
    assert answer.json() == made
    for name, value in EMPTY.items():
        before = (await client.get(path, params={"app_id": "voice-rx"})).json()
        answer = await client.put(path, json={name: value})
        assert answer.status_code == 200, answer.text
        changed = answer.json()
        assert changed[name] == value
        assert changed.pop("updated_at") > before.pop("updated_at")
        assert changed == {**before, name: value}
    answer = await client.put(path, json={name: GIVEN[name] for name in EMPTY})
    assert {name: answer.json()[name] for name in GIVEN} == GIVEN


@pytest.mark.parametrize(
    "name",
    [
        "title",
        "status",
        "source_type",
        "structured_output_references",
        "structured_outputs",
        "evaluator_runs",
    ],
)
async def test_what_cannot_be_null_is_not_cleared(client: httpx2.AsyncClient, name: str) -> None:
    made = await make(client)
    answer = await client.put(f"{URL}/{made['id']}", json={name: None})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["place"] == f"body.{name}"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "body.app_id"),
        ({"app_id": ""}, "body.app_id"),
        ({"app_id": "a" * 51}, "body.app_id"),
        ({"app_id": "a", "title": "a" * 501}, "body.title"),
        ({"app_id": "a", "title": "a\x00"}, "body.title"),
        ({"app_id": "a", "status": "a" * 21}, "body.status"),
        ({"app_id": "a", "audio_file": "name"}, "body.audio_file"),
        ({"app_id": "a", "transcript": []}, "body.transcript"),
        ({"app_id": "a", "evaluator_runs": {}}, "body.evaluator_runs"),
        ({"app_id": "a", "evaluator_runs": [{"a": "\x00"}]}, "body.evaluator_runs[0].a"),
        ({"app_id": "a", "unknown": 1}, "body.unknown"),
    ],
)
async def test_bad_input(client: httpx2.AsyncClient, body: dict[str, Any], place: str) -> None:
    answer = await client.post(URL, json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["place"] == place


async def test_a_list_is_newest_first_and_says_how_many(own: Installation) -> None:
    client = await own.client()
    made = [await make(client, **{**GIVEN, "title": f"{n}"}) for n in range(5)]
    await make(client, app_id="kaira-bot")
    answer = await client.get(URL, params={"app_id": "voice-rx"})
    assert answer.status_code == 200
    assert answer.headers["x-total-count"] == "5"
    assert answer.json() == [{name: row[name] for name in SHOWN} for row in reversed(made)]
    page = await client.get(URL, params={"app_id": "voice-rx", "limit": 2, "offset": 2})
    assert [row["title"] for row in page.json()] == ["2", "1"]
    assert page.headers["x-total-count"] == "5"
    assert 'rel="next"' in page.headers["link"]
    beyond = await client.get(URL, params={"app_id": "voice-rx", "offset": 9})
    assert beyond.json() == []
    assert beyond.headers["x-total-count"] == "5"
    nothing = await client.get(URL, params={"app_id": "unknown"})
    assert nothing.json() == []
    assert nothing.headers["x-total-count"] == "0"


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"app_id": ""},
        {"app_id": "a" * 51},
        {"app_id": "a", "limit": 0},
        {"app_id": "a", "limit": 501},
        {"app_id": "a", "offset": -1},
    ],
)
@pytest.mark.parametrize("path", [URL, f"{URL}/search"])
async def test_bad_queries(client: httpx2.AsyncClient, path: str, query: dict[str, Any]) -> None:
    assert (await client.get(path, params={"q": "a", **query})).status_code == 422


async def test_a_list_loads_no_large_columns(
    client: httpx2.AsyncClient, count_queries: Any
) -> None:
    await make(client, **GIVEN)
    with count_queries() as queries:
        assert (await client.get(URL, params={"app_id": "voice-rx"})).status_code == 200
    assert len(queries) == 2
    for column in ("transcript", "api_response", "ai_eval", "evaluator_runs", "structured_outputs"):
        assert not any(f"listings.{column}," in query + "," for query in queries)


async def search(client: httpx2.AsyncClient, q: str, **more: Any) -> list[str]:
    answer = await client.get(f"{URL}/search", params={"app_id": "voice-rx", "q": q, **more})
    assert answer.status_code == 200, answer.text
    return [row["title"] for row in answer.json()]


TITLES = [
    "100% sure",
    "100 of 100",
    "snake_case",
    "snakeXcase",
    "Ärztin Große",
    "back\\slash",
    "it's 'quoted'",
    "🩺 round",
    "a",
    "",
]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("%", ["100% sure"]),
        ("100%", ["100% sure"]),
        ("_", ["snake_case"]),
        ("snake_case", ["snake_case"]),
        ("SNAKE", ["snakeXcase", "snake_case"]),
        ("100", ["100 of 100", "100% sure"]),
        ("ärztin", ["Ärztin Große"]),
        ("ÄRZTIN GROSSE", ["Ärztin Große"]),
        ("\\", ["back\\slash"]),
        ("'", ["it's 'quoted'"]),
        ("🩺", ["🩺 round"]),
        ("e c", []),
        ("100 sure", []),
        ("casecase", []),
        ("x" * 500, []),
        ("", list(reversed(TITLES))),
    ],
)
@pytest.mark.parametrize("newest", [5_000, 0])
async def test_search_takes_everything_literally(
    titled: httpx2.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    q: str,
    found: list[str],
    newest: int,
) -> None:
    """Both among the newest, and by the index where those are not enough."""
    monkeypatch.setattr("assay.apps.listings.search.NEWEST", newest)
    assert await search(titled, q) == found
    if found:
        assert await search(titled, q, limit=1, offset=len(found) - 1) == found[-1:]


@pytest.fixture(scope="module")
async def titled(settings: Settings, new_database_dsn: Any) -> Any:
    """A client with listings that have these titles."""
    async with installed(settings, database_url=await new_database_dsn()) as place:
        client = await place.client()
        for title in TITLES:
            await make(client, title=title)
        await make(client, app_id="kaira-bot", title="100% _")
        yield client


async def test_a_changed_title_is_found(client: httpx2.AsyncClient) -> None:
    made = await make(client, title="Before the change")
    await client.put(f"{URL}/{made['id']}", json={"title": "Behind the CHANGE"})
    assert await search(client, "before the change") == []
    assert await search(client, "behind the change") == ["Behind the CHANGE"]


async def test_what_many_have_is_counted_as_far_as_pages_go(
    own: Installation, own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await own.client()
    await fill(own_database, 300)
    monkeypatch.setattr("assay.apps.listings.search.NEWEST", 50)
    monkeypatch.setattr("assay.apps.listings.search.MOST_BY_PIECES", 100)
    titles = [f"Visit {n}" for n in range(300, 0, -1)]
    seen: list[str] = []
    while True:
        params: dict[str, str | int] = {
            "app_id": "voice-rx",
            "q": "VISIT",
            "limit": 20,
            "offset": len(seen),
        }
        answer = await client.get(f"{URL}/search", params=params)
        seen += [row["title"] for row in answer.json()]
        total = int(answer.headers["x-total-count"])
        assert len(seen) <= total <= 300
        if "link" not in answer.headers:
            break
    assert total == 300
    assert seen == titles


async def fill(database: Database, count: int) -> None:
    statement = """
        INSERT INTO apps.listings (id, user_id, app_id, title, title_folded)
        SELECT CAST(lpad(to_hex(n), 32, '0') AS uuid), 'default', 'voice-rx',
        'Visit ' || n, 'visit ' || n FROM generate_series(1, CAST(:count AS int)) AS n
    """
    async with database.session() as session:
        await session.execute(text(statement), {"count": count})
    connection = await database.connect()
    await connection.execute("VACUUM ANALYZE apps.listings")
    await connection.close()


async def test_lists_and_searches_use_their_indexes(
    own: Installation, own_database: Database
) -> None:
    client = await own.client()
    await fill(own_database, 30_000)
    plans = []
    connection = await own_database.connect()
    for statement in (
        "SELECT id FROM apps.listings WHERE user_id = 'default' AND app_id = 'voice-rx' "
        "ORDER BY id DESC LIMIT 100",
        "SELECT id FROM apps.listings WHERE user_id = 'default' AND app_id = 'voice-rx' "
        "AND apps.grams(title_folded) @> '{123,456}' AND strpos(title_folded, '123456') > 0",
    ):
        rows = await connection.fetch(f"EXPLAIN {statement}")
        plans.append("\n".join(row[0] for row in rows))
    await connection.close()
    for plan in plans:
        assert "Seq Scan" not in plan, plan
    assert "ix_listings_grams" in plans[1]
    assert await search(client, "visit 12345") == ["Visit 12345"]
    assert await search(client, "29999") == ["Visit 29999"]


async def test_the_total_is_right_whatever_happens(own: Installation) -> None:
    client = await own.client()
    made = await asyncio.gather(*(make(client, title=f"{n}") for n in range(50)))
    gone = [f"{URL}/{row['id']}" for row in made[:20]]
    query = {"app_id": "voice-rx"}
    await asyncio.gather(*(client.delete(path, params=query) for path in gone))
    answer = await client.get(URL, params=query)
    assert answer.headers["x-total-count"] == "30"
    assert len(answer.json()) == 30


async def test_of_another_app_or_owner_there_is_nothing(own: Installation) -> None:
    owner, admin = await own.person(Role.editor), await own.person(Role.admin)
    made = await make(owner.client, title="Mine")
    path = f"{URL}/{made['id']}"
    assert (await owner.client.get(path)).status_code == 422
    assert (await owner.client.delete(path)).status_code == 422
    for client, app in ((owner.client, "kaira-bot"), (admin.client, "voice-rx")):
        query = {"app_id": app}
        assert (await client.get(path, params=query)).status_code == 404
        assert (await client.delete(path, params=query)).status_code == 404
        assert (await client.get(URL, params=query)).json() == []
        assert (await client.get(f"{URL}/search", params={**query, "q": "Mine"})).json() == []
    assert (await admin.client.put(path, json={"title": "x"})).status_code == 404
    found = await owner.client.get(path, params={"app_id": "voice-rx"})
    assert found.json() == made


async def test_unknown_ids(client: httpx2.AsyncClient, app: FastAPI) -> None:
    query = {"app_id": "voice-rx"}
    for listing_id, status in ((str(UUID(int=1)), 404), ("0", 422)):
        path = f"{URL}/{listing_id}"
        assert (await client.get(path, params=query)).status_code == status
        assert (await client.put(path, json={"title": "x"})).status_code == status
        assert (await client.delete(path, params=query)).status_code == status
    async with app.state.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(Listing)) is not None
