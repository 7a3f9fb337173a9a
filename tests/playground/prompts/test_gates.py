"""Protected labels: what it takes to get one, said in full where it is missing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from tests.identity.people import Installation, Person, installed
from tests.playground.conftest import Factory
from tests.playground.stored_runs import store_run

from assay.core.config import Settings
from assay.core.database import Database
from assay.identity.actor import Role
from assay.playground.datasets.models import DatasetItem
from assay.playground.runs.models import RunStatus

ECHO, OTHER = "builtin/echo", "builtin/first-label"


def passes(good: int, of: int = 40) -> list[list[bool]]:
    """The first ones pass."""
    return [[number < good] for number in range(of)]


class Guarded:
    """A prompt with three versions, whose label `production` is protected by a dataset."""

    def __init__(self, make: Factory, database: Database) -> None:
        self.make = make
        self.database = database

    async def prepare(self, min_pass_rate: float = 0.8) -> "Guarded":
        use_case = await self.make.use_case()
        prompt = await self.make.prompt(use_case["id"])
        self.versions = [await self.make.version(prompt["id"]) for _ in range(3)]
        self.dataset = await self.make.dataset(use_case["id"])
        self.item_ids = [item["id"] for item in await self.make.items(self.dataset["id"], 40)]
        self.path = f"/prompts/{prompt['id']}"
        self.label = f"{self.path}/labels/production"
        gate = {"dataset_id": self.dataset["id"], "min_pass_rate": min_pass_rate}
        self.gate = await self.make.call("PUT", f"{self.label}/gate", 200, gate)
        return self

    async def run(self, version: int, outcomes: Any, model: str = ECHO, **fields: Any) -> str:
        given = outcomes if isinstance(outcomes, dict) else {model: outcomes}
        return await store_run(
            self.database,
            self.versions[version - 1],
            self.dataset["id"],
            self.item_ids,
            given,
            **fields,
        )

    async def put(self, version: int, status: int = 200) -> Any:
        return await self.make.call("PUT", self.label, status, {"version_number": version})

    async def refused(self, version: int) -> list[str]:
        """What is missing."""
        problem = await self.put(version, 409)
        assert problem["code"] == "gate_not_met"
        assert problem["detail"].startswith(
            f'The label "production" is protected, and version {version} does not meet its gate: '
        )
        messages = [fault["message"] for fault in problem["errors"]]
        assert all(message in problem["detail"] for message in messages)
        return messages

    async def holder(self) -> int | None:
        prompt = await self.make.call("GET", self.path, 200)
        number: int | None = prompt["labels"].get("production")
        return number


@pytest.fixture
async def guarded(make: Factory, database: Database) -> Guarded:
    return await Guarded(make, database).prepare()


async def test_a_gate_is_set_changed_listed_and_taken_away(guarded: Guarded) -> None:
    make, gate = guarded.make, guarded.gate
    assert gate["label"] == "production"
    assert gate["dataset_id"] == guarded.dataset["id"]
    assert (gate["min_pass_rate"], gate["updated_by"]) == (0.8, "default")
    body = {"dataset_id": guarded.dataset["id"], "min_pass_rate": 0.9}
    await make.call("PUT", f"{guarded.path}/labels/alpha/gate", 200, body)
    changed = await make.call("PUT", f"{guarded.label}/gate", 200, body)
    assert changed["min_pass_rate"] == 0.9
    assert changed["updated_at"] > gate["updated_at"]
    pages = await make.pages(f"{guarded.path}/gates", limit=1)
    assert [[row["label"] for row in page] for page in pages] == [["alpha"], ["production"]]
    await make.call("DELETE", f"{guarded.label}/gate", 204)
    problem = await make.call("DELETE", f"{guarded.label}/gate", 404)
    assert problem["detail"] == 'The label "production" has no gate.'
    await guarded.put(1)


async def test_faulty_gates(guarded: Guarded) -> None:
    make, path = guarded.make, f"{guarded.label}/gate"
    dataset_id = guarded.dataset["id"]
    for rate in (-0.1, 1.1, None, "high"):
        body = {"dataset_id": dataset_id, "min_pass_rate": rate}
        problem = await make.call("PUT", path, 422, body)
        assert problem["errors"][0]["place"] == "body.min_pass_rate"
    body = {"dataset_id": str(uuid4()), "min_pass_rate": 0.5}
    problem = await make.call("PUT", path, 404, body)
    assert "dataset_id" in problem["detail"]
    body["dataset_id"] = (await make.dataset())["id"]
    problem = await make.call("PUT", path, 422, body)
    assert problem["errors"][0]["place"] == "body.dataset_id"
    body["dataset_id"] = dataset_id
    for method, where in (("PUT", "/labels/live/gate"), ("DELETE", "/labels/live/gate")):
        await make.call(method, f"/prompts/{uuid4()}{where}", 404, body)
    await make.call("GET", f"/prompts/{uuid4()}/gates", 404)


async def test_without_a_completed_run_there_is_no_label(guarded: Guarded) -> None:
    missing = f'version 1 has no completed run on dataset "March" ({guarded.dataset["id"]})'
    assert await guarded.refused(1) == [missing]
    await guarded.run(1, passes(40), status=RunStatus.canceled)
    await guarded.run(2, passes(40))
    assert await guarded.refused(1) == [missing]
    await guarded.put(2)
    assert await guarded.holder() == 2
    await guarded.make.call("PUT", f"{guarded.path}/labels/free", 200, {"version_number": 1})


async def test_the_bar_has_to_be_reached_with_each_model(guarded: Guarded) -> None:
    run = await guarded.run(1, {ECHO: passes(32), OTHER: passes(31)})
    assert await guarded.refused(1) == [
        f"pass rate 0.775 (31 of 40 items) below 0.8 with {OTHER} in run {run}"
    ]
    await guarded.run(1, passes(32))
    await guarded.put(1)


async def test_only_the_newest_run_of_the_same_models_counts(guarded: Guarded) -> None:
    await guarded.run(1, passes(40))
    newest = await guarded.run(1, passes(10))
    assert newest in (await guarded.refused(1))[0]
    await guarded.run(1, passes(33))
    await guarded.put(1)


async def test_a_run_without_assertions_says_nothing(guarded: Guarded) -> None:
    run = await guarded.run(1, passes(40), assertions=[])
    await guarded.put(1)
    async with guarded.database.session() as session:
        await session.execute(
            text(
                "UPDATE playground.eval_results SET grading = "
                """'{"passed": true, "score": 1, "assertions": []}' WHERE eval_run_id = :id"""
            ),
            {"id": UUID(run)},
        )
    await guarded.make.call("DELETE", guarded.label, 204)
    assert await guarded.refused(1) == [f"run {run} has no assertions, so it says nothing"]


async def test_a_version_that_is_significantly_worse_is_refused(guarded: Guarded) -> None:
    first = await guarded.run(1, passes(40))
    await guarded.put(1)
    second = await guarded.run(2, passes(34))
    assert await guarded.refused(2) == [
        f"significantly worse than version 1 with {ECHO}: 6 items got worse, 0 better, p=0.031 "
        f"(runs {first} and {second})"
    ]
    assert await guarded.holder() == 1
    await guarded.run(2, passes(35))
    await guarded.put(2)
    assert await guarded.holder() == 2
    await guarded.put(2)
    await guarded.put(1)


async def test_runs_that_cannot_be_paired_are_no_evidence(guarded: Guarded) -> None:
    await guarded.run(1, passes(40))
    await guarded.put(1)
    run = await guarded.run(2, passes(40), OTHER)
    assert await guarded.refused(2) == [
        'version 1, which has the label, has no completed run on dataset "March" with just the '
        f"models of run {run} ({OTHER}) to compare it with"
    ]
    before = await guarded.run(1, passes(40), OTHER, assertions=[{"type": "is-json"}])
    assert await guarded.refused(2) == [
        f"run {run} cannot be compared with run {before} of version 1, which has the label: they "
        "have different assertions or rules for passing"
    ]
    await guarded.run(1, passes(40), OTHER)
    await guarded.put(2)


async def test_items_that_changed_in_between_are_no_pairs(guarded: Guarded) -> None:
    first = await guarded.run(1, passes(40))
    await guarded.put(1)
    async with guarded.database.session() as session:
        for item_id in guarded.item_ids:
            (await session.get_one(DatasetItem, UUID(item_id))).changed_in = 2
    second = await guarded.run(2, passes(40), dataset_version=2)
    assert await guarded.refused(2) == [
        f"runs {second} and {first} of version 1 have no item in common"
    ]


async def test_a_dataset_that_guards_a_label_stays(guarded: Guarded) -> None:
    make = guarded.make
    project = (await make.call("GET", guarded.path, 200))["use_case_id"]
    use_case = await make.call("GET", f"/use-cases/{project}", 200)
    elsewhere = await make.use_case(use_case["project_id"])
    dataset = await make.dataset(elsewhere["id"])
    body = {"dataset_id": dataset["id"], "min_pass_rate": 0.5}
    await make.call("PUT", f"{guarded.path}/labels/staging/gate", 200, body)
    for path in (f"/datasets/{dataset['id']}", f"/use-cases/{elsewhere['id']}"):
        problem = await make.call("DELETE", path, 409)
        assert problem["code"] == "dataset_guards_label"
    await make.call("GET", f"/datasets/{dataset['id']}", 200)
    await make.call("DELETE", f"/datasets/{guarded.dataset['id']}", 409)
    await make.call("DELETE", f"/use-cases/{project}", 204)
    await make.call("DELETE", f"/datasets/{dataset['id']}", 204)


async def test_a_project_goes_with_its_gates(guarded: Guarded) -> None:
    make = guarded.make
    prompt = await make.call("GET", guarded.path, 200)
    use_case = await make.call("GET", f"/use-cases/{prompt['use_case_id']}", 200)
    await make.call("DELETE", f"/projects/{use_case['project_id']}", 204)


async def test_concurrent_moves_of_a_protected_label(guarded: Guarded) -> None:
    """Versions 2 and 3 are each as good as 1, but 3 is much worse than 2."""
    await guarded.run(1, [[number >= 6] for number in range(40)])
    await guarded.put(1, 200)
    await guarded.run(2, passes(40))
    await guarded.run(3, [[number < 33] for number in range(40)])
    answers = await asyncio.gather(*(_status(guarded, version) for version in (2, 3) * 6))
    assert set(answers) <= {200, 409}
    # Whoever came first: once version 2 has the label, version 3 does not get it any more.
    assert await guarded.holder() == 2
    versions = await guarded.make.call("GET", f"{guarded.path}/versions", 200)
    assert sorted(len(version["labels"]) for version in versions) == [0, 0, 1]


async def _status(guarded: Guarded, version: int) -> int:
    make = guarded.make
    response = await make._client.put(f"/api/v1{guarded.label}", json={"version_number": version})
    return response.status_code


@pytest.fixture(scope="module")
async def installation(
    settings: Settings, new_database_dsn: Callable[[], Awaitable[str]]
) -> AsyncIterator[Installation]:
    async with installed(settings, database_url=await new_database_dsn()) as installation:
        yield installation


@pytest.mark.parametrize(("inside", "allowed"), [(Role.editor, False), (Role.admin, True)])
async def test_only_admins_of_the_project_change_gates_and_take_protected_labels_away(
    installation: Installation, inside: Role, allowed: bool
) -> None:
    admin: Person = await installation.person(Role.admin)
    person = await installation.person(Role.editor)
    guarded = await Guarded(
        Factory(admin.client, installation.database), installation.database
    ).prepare()
    prompt = await guarded.make.call("GET", guarded.path, 200)
    use_case = await guarded.make.call("GET", f"/use-cases/{prompt['use_case_id']}", 200)
    await installation.share(admin, use_case["project_id"], person, inside)
    await guarded.run(1, passes(40))
    theirs = Factory(person.client, installation.database)
    await theirs.call("PUT", guarded.label, 200, {"version_number": 1})
    body = {"dataset_id": guarded.dataset["id"], "min_pass_rate": 0.1}
    expected: Sequence[tuple[str, str, Any, int]] = [
        ("PUT", f"{guarded.label}/gate", body, 200),
        ("DELETE", guarded.label, None, 204),
        ("DELETE", f"{guarded.label}/gate", None, 204),
    ]
    for method, path, content, status in expected:
        await theirs.call(method, path, status if allowed else 403, content)
    assert await guarded.holder() == (None if allowed else 1)
