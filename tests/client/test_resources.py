"""Each resource, by both clients, against a server."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

import pytest
from tests.client.conftest import Place

from assay.client import AsyncClient, Invalid, NotFound, TimedOut
from assay.client.options import (
    Changes,
    DatasetChanges,
    DatasetOptions,
    ImportOptions,
    ItemChanges,
    PromptChanges,
    RequestOptions,
    RunOptions,
    VersionOptions,
)
from assay.consults.requests.schemas import RequestCreate
from assay.playground.datasets.imports.schemas import ImportParameters
from assay.playground.datasets.items.schemas import ItemCreate, ItemUpdate
from assay.playground.datasets.schemas import DatasetCreate, DatasetUpdate
from assay.playground.projects.schemas import ProjectUpdate, UseCaseUpdate
from assay.playground.prompts.schemas import PromptUpdate
from assay.playground.prompts.versions.schemas import VersionCreate
from assay.playground.runs.models import RunStatus
from assay.playground.runs.schemas import EvalRunCreate, EvalRunResume, ModelEntry

T = TypeVar("T")


async def taken(things: AsyncIterator[T]) -> list[T]:
    return [thing async for thing in things]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_projects_and_use_cases(assay: AsyncClient) -> None:
    project = await assay.projects.create("Support", description="All bots")
    assert (await assay.projects.get(project.id)) == project
    assert project.id in [each.id async for each in assay.projects.list()]
    use_case = await assay.use_cases.create(project.id, "Sort messages")
    assert use_case.project_id == project.id
    assert (await assay.use_cases.get(str(use_case.id))) == use_case
    assert await taken(assay.use_cases.list(project.id)) == [use_case]
    await assay.use_cases.delete(use_case.id)
    await assay.projects.delete(project.id)
    with pytest.raises(NotFound) as caught:
        await assay.projects.get(project.id)
    assert (caught.value.status, caught.value.code) == (404, "not_found")
    assert caught.value.request_id
    assert caught.value.request_id in str(caught.value)


async def test_what_is_said_is_changed_and_the_rest_stays(assay: AsyncClient, place: Place) -> None:
    project = await assay.projects.create("Support", description="All bots")
    renamed = await assay.projects.update(project.id, name="Service")
    assert (renamed.name, renamed.description) == ("Service", "All bots")
    use_case = await assay.use_cases.create(project.id, "Sort", description="By hand")
    bare = await assay.use_cases.update(use_case.id, description=None)
    assert (bare.name, bare.description) == ("Sort", None)
    prompt = await assay.prompts.create(use_case.id, "Intent", tags=["a"])
    assert (await assay.prompts.update(prompt.id, tags=["b", "c"])).tags == ["b", "c"]
    dataset = await assay.datasets.create(use_case.id, "March", input_schema={"type": "object"})
    changed = await assay.datasets.update(dataset.id, name="April", input_schema=None)
    assert (changed.name, changed.input_schema) == ("April", None)
    with pytest.raises(Invalid) as caught:
        await assay.datasets.update(dataset.id, name="")
    assert [fault.place for fault in caught.value.errors] == ["body.name"]


async def test_an_item_is_changed_and_deleted(assay: AsyncClient, place: Place) -> None:
    dataset = await assay.datasets.create(place.use_case_id, "March")
    (item,) = await assay.datasets.items.add(
        dataset.id, [{"input": {"text": "Hi"}, "expected_output": "greeting"}]
    )
    changed = await assay.datasets.items.update(item.id, expected_output=None)
    assert (changed.input, changed.expected_output) == ({"text": "Hi"}, None)
    assert await assay.datasets.items.get(item.id) == changed
    await assay.datasets.items.delete(item.id)
    with pytest.raises(NotFound):
        await assay.datasets.items.get(item.id)


async def test_lists_go_on_over_pages(assay: AsyncClient, place: Place) -> None:
    names = [f"Dataset {number}" for number in range(5)]
    for name in names:
        await assay.datasets.create(place.use_case_id, name)
    for limit in (1, 2, 5, None):
        found = await taken(assay.datasets.list(place.use_case_id, limit=limit))
        assert [each.name for each in found] == names[::-1]


async def test_faults_name_their_places(assay: AsyncClient, place: Place) -> None:
    with pytest.raises(Invalid) as caught:
        await assay.prompts.versions.create(uuid4(), [{"role": "nobody", "content": "Hi"}])
    assert [fault.place for fault in caught.value.errors] == ["body.template_messages[0].role"]
    assert caught.value.status == 422


async def test_prompts_versions_and_labels(assay: AsyncClient, place: Place) -> None:
    prompt = await assay.prompts.create(place.use_case_id, "Intent", tags=["a", "b"])
    other = await assay.prompts.create(place.use_case_id, "Other", tags=["b"])
    assert [each.id async for each in assay.prompts.list(place.use_case_id, search="INTENT")] == [
        prompt.id
    ]
    both = await taken(assay.prompts.list(place.use_case_id, tags_any=["a", "b"], limit=1))
    assert {each.id for each in both} == {prompt.id, other.id}
    assert len(await taken(assay.prompts.list(place.use_case_id, tags_all=["a", "b"]))) == 1
    first = await assay.prompts.versions.create(prompt.id, "Sort this: {{ message }}")
    chat = [{"role": "user", "content": "Sort: {{ message }}"}]
    second = await assay.prompts.versions.create(
        prompt.id, chat, model_defaults={"temperature": 0}, commit_message="As a chat"
    )
    assert (first.version_number, second.version_number) == (1, 2)
    labelled = await assay.prompts.set_label(prompt.id, "production", 2)
    assert labelled.labels == ["production"]
    assert (await assay.prompts.versions.get(prompt.id, "production")).id == second.id
    assert (await assay.prompts.versions.get(prompt.id, 1)).id == first.id
    assert [each.id async for each in assay.prompts.versions.list(prompt.id)] == [
        second.id,
        first.id,
    ]
    assert await assay.prompts.render(second.id, {"message": "Hi"}) == [
        {"role": "user", "content": "Sort: Hi"}
    ]
    assert (await assay.prompts.get(prompt.id)).labels == {"production": 2}
    await assay.prompts.delete(other.id)
    assert len(await taken(assay.prompts.list(place.use_case_id))) == 1


async def test_items_come_back_as_they_were_sent(assay: AsyncClient, place: Place) -> None:
    schema = {"type": "object", "required": ["message"]}
    dataset = await assay.datasets.create(place.use_case_id, "March", input_schema=schema)
    written = ItemCreate(input={"message": "A"}, expected_output=1, metadata={"source": "mail"})
    [first] = await assay.datasets.items.add(dataset.id, [written])
    assert (first.input, first.expected_output, first.metadata) == (
        {"message": "A"},
        1,
        {"source": "mail"},
    )
    many = [{"input": {"message": str(number)}} for number in range(1500)]
    assert len(await assay.datasets.items.add(dataset.id, many)) == 1500
    items = await taken(assay.datasets.items.list(dataset.id, limit=200))
    assert [item.input["message"] for item in items] == ["A", *map(str, range(1500))]
    assert len(await taken(assay.datasets.items.list(dataset.id, version=1))) == 1
    with pytest.raises(Invalid) as caught:
        await assay.datasets.items.add(dataset.id, [*many[:2], {"input": {}}])
    assert caught.value.errors[0].place.startswith("body.items[2].input")
    assert (await assay.datasets.get(dataset.id)).counts.items == 1501


async def test_files_of_items_go_in_and_out(
    assay: AsyncClient, place: Place, tmp_path: Path
) -> None:
    dataset = await assay.datasets.create(place.use_case_id, "March")
    file = tmp_path / "items.csv"
    file.write_text("question;answer\n" + "".join(f"Wö {n}?;{n}\n" for n in range(3000)))
    mapping = {"question": "input.message", "answer": "expected_output"}
    report = await assay.datasets.import_file(dataset.id, file, mapping=mapping)
    assert (report.items, report.refused) == (3000, 0)
    await assay.datasets.export(dataset.id, tmp_path / "out.jsonl")
    lines = io.BytesIO()
    await assay.datasets.export(dataset.id, lines, format="jsonl", version=1)
    assert lines.getvalue() == (tmp_path / "out.jsonl").read_bytes()
    assert names(tmp_path) == {"items.csv", "out.jsonl"}
    other = await assay.datasets.create(place.use_case_id, "April")
    again = await assay.datasets.import_file(other.id, io.BytesIO(lines.getvalue()), format="jsonl")
    assert again.items == 3000
    with pytest.raises(Invalid) as caught:
        await assay.datasets.import_file(other.id, io.BytesIO(b"{"), format="jsonl")
    assert caught.value.code == "rows_refused"
    missing = tmp_path / "not" / "here.csv"
    with pytest.raises(FileNotFoundError):
        await assay.datasets.export(dataset.id, missing)
    with pytest.raises(NotFound):
        await assay.datasets.export(uuid4(), tmp_path / "out.csv")
    assert names(tmp_path) == {"items.csv", "out.jsonl"}


async def parts_of(client: AsyncClient) -> tuple[UUID, UUID]:
    """A version of a prompt, and a dataset of two items."""
    project = await client.projects.create("Words")
    use_case = await client.use_cases.create(project.id, "Words")
    prompt = await client.prompts.create(use_case.id, "Echo")
    version = await client.prompts.versions.create(prompt.id, "Say {{ word }}")
    dataset = await client.datasets.create(use_case.id, "Words")
    await client.datasets.items.add(
        dataset.id,
        [
            {"input": {"word": "yes"}, "expected_output": "yes"},
            {"input": {"word": "no"}, "expected_output": "perhaps"},
        ],
    )
    return version.id, dataset.id


@pytest.mark.usefixtures("worker")
async def test_a_run_to_its_end(assay: AsyncClient) -> None:
    version_id, dataset_id = await parts_of(assay)
    seen: list[float] = []
    checks = [{"type": "contains", "value": "{{expected_output}}"}]
    runs = [
        await assay.runs.start(version_id, dataset_id, [model], assertions=checks, name="Words")
        for model in ("builtin/echo", ModelEntry(model="builtin/echo", parameters={"top_p": 1}))
    ]
    for run in runs:
        ended = await assay.runs.wait(
            run.id, timeout=60, on_progress=lambda now: seen.append(now.progress.percent)
        )
        assert ended.status is RunStatus.completed
        assert (ended.progress.passed, ended.progress.failed) == (1, 1)
    assert seen[-1] == 100
    [failed] = await taken(assay.runs.results(runs[0].id, passed=False, limit=1))
    assert failed.output == "Say no"
    assert (await assay.runs.summary(runs[0].id)).overall.cells == 2
    compared = await assay.runs.compare(*(run.id for run in runs), shown=0)
    assert [each.pairs for each in compared.comparisons] == [2]
    found = await taken(assay.runs.list(dataset_id=dataset_id, status="completed", limit=1))
    assert [run.id for run in found] == [run.id for run in runs][::-1]


async def test_a_run_that_is_started_again_with_its_key_is_the_same(quiet: AsyncClient) -> None:
    parts, key = await parts_of(quiet), str(uuid4())
    first = await quiet.runs.start(*parts, ["builtin/echo"], idempotency_key=key)
    again = await quiet.runs.start(*parts, ["builtin/echo"], idempotency_key=key)
    other = await quiet.runs.start(*parts, ["builtin/echo"])
    assert again.id == first.id != other.id
    with pytest.raises(Invalid) as caught:
        await quiet.runs.start(*parts, ["builtin/echo"], idempotency_key=key, name="Other")
    assert caught.value.code == "idempotency_key_reused"
    canceled = await quiet.runs.cancel(first.id)
    assert canceled.status is RunStatus.canceled
    resumed = await quiet.runs.resume(first.id, EvalRunResume(max_cost=2))
    assert (resumed.status, resumed.max_cost) == (RunStatus.pending, 2)


async def test_waiting_ends_in_time(quiet: AsyncClient) -> None:
    run = await quiet.runs.start(*await parts_of(quiet), ["builtin/echo"])
    seen: list[object] = []
    with pytest.raises(TimedOut, match="0 of 2 cells"):
        await quiet.runs.wait(run.id, timeout=0.3, on_progress=seen.append)
    assert len(seen) >= 2


async def test_files(assay: AsyncClient, tmp_path: Path) -> None:
    source = tmp_path / 'visit "1".txt'
    source.write_bytes(b"Guten Tag. " * 100_000)
    stored = await assay.files.upload(source)
    assert (stored.original_name, stored.size_bytes) == (source.name, 1_100_000)
    assert await assay.files.get(stored.id) == stored
    await assay.files.download(stored.id, tmp_path / "back.txt")
    assert (tmp_path / "back.txt").read_bytes() == source.read_bytes()
    with source.open("rb") as file:
        file.seek(1_000_000)
        rest = await assay.files.upload(file, name="rest.txt")
    assert (rest.original_name, rest.size_bytes) == ("rest.txt", 100_000)
    back = io.BytesIO()
    await assay.files.download(rest.id, back)
    assert back.getvalue() == source.read_bytes()[1_000_000:]
    await assay.files.delete(stored.id)
    with pytest.raises(NotFound):
        await assay.files.download(stored.id, tmp_path / "gone.txt")
    assert names(tmp_path) == {source.name, "back.txt"}


@pytest.mark.parametrize(
    ("options", "schema", "given"),
    [
        (VersionOptions, VersionCreate, {"type", "template_text", "template_messages"}),
        (DatasetOptions, DatasetCreate, {"name"}),
        (ImportOptions, ImportParameters, set()),
        (RunOptions, EvalRunCreate, {"prompt_version_id", "dataset_id", "models"}),
        (RequestOptions, RequestCreate, {"title", "kind"}),
        (Changes, ProjectUpdate, set()),
        (Changes, UseCaseUpdate, set()),
        (PromptChanges, PromptUpdate, set()),
        (DatasetChanges, DatasetUpdate, set()),
        (ItemChanges, ItemUpdate, set()),
    ],
)
def test_options_are_those_of_the_api(options: type, schema: type, given: set[str]) -> None:
    assert options.__annotations__.keys() | given == schema.model_fields.keys()  # type: ignore[attr-defined]  # all are models
