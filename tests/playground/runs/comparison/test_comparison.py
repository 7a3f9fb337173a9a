"""Comparisons over HTTP, on runs whose results are known."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.playground.conftest import Factory
from tests.playground.stored_runs import store_run

from assay.core.database import Database
from assay.playground.datasets.models import Dataset, DatasetItem, ItemRevision
from assay.playground.runs.models import EvalResult, PassWhen

ECHO, OTHER = "builtin/echo", "builtin/first-label"
BETTER = [True] * 10 + [False] * 20
WON = [True] * 30


class Parts:
    """Two versions of a prompt, and a dataset."""

    def __init__(self, make: Factory, database: Database) -> None:
        self._make = make
        self._database = database

    async def prepare(self, items: int = 30) -> "Parts":
        use_case = await self._make.use_case()
        prompt = await self._make.prompt(use_case["id"])
        self.versions = [await self._make.version(prompt["id"]) for _ in range(2)]
        self.dataset = await self._make.dataset(use_case["id"])
        made = await self._make.items(self.dataset["id"], items)
        self.item_ids = [item["id"] for item in made]
        return self

    async def run(
        self, *passes: Sequence[bool | None], models: Sequence[str] = (ECHO,), **fields: Any
    ) -> str:
        """A run of the first version, with whether each item passed for each model."""
        outcomes = {
            model: [[one] for one in items] for model, items in zip(models, passes, strict=True)
        }
        return await self.store(outcomes, **fields)

    async def store(self, outcomes: Any, version: int = 0, **fields: Any) -> str:
        return await store_run(
            self._database,
            self.versions[version],
            self.dataset["id"],
            self.item_ids,
            outcomes,
            **fields,
        )

    async def compare(self, *runs: str, status: int = 200, **query: Any) -> Any:
        path = "/eval-runs/compare"
        return await self._make.call("GET", path, status, ids=",".join(runs), **query)


@pytest.fixture
async def parts(make: Factory, database: Database) -> Parts:
    return await Parts(make, database).prepare()


async def test_a_better_run(parts: Parts) -> None:
    first = await parts.run(BETTER, name="old")
    second = await parts.store({ECHO: [[one] for one in WON]}, version=1, name="new")
    answer = await parts.compare(first, second)
    assert [run["id"] for run in answer["runs"]] == [first, second]
    assert [run["version_number"] for run in answer["runs"]] == [1, 2]
    assert [(run["name"], run["models"]) for run in answer["runs"]] == [
        ("old", [ECHO]),
        ("new", [ECHO]),
    ]
    assert answer["graded_alike"] is True
    [comparison] = answer["comparisons"]
    assert comparison["run_id"] == second
    assert comparison["pairs"] == 30
    assert (comparison["only_before"], comparison["only_after"], comparison["changed"]) == (0, 0, 0)
    before, after = comparison["before"], comparison["after"]
    assert (before["passed"], after["passed"]) == (10, 30)
    assert before["pass_rate"] == pytest.approx(1 / 3)
    assert before["pass_rate_interval"] == pytest.approx([0.1923, 0.5122], abs=1e-4)
    assert (before["mean_score"], after["mean_score"]) == (pytest.approx(1 / 3), 1.0)
    assert before["cost"] == {"total": 7.75, "mean": pytest.approx(7.75 / 30), "items": 30}
    assert before["latency_ms"] == {"total": 3435.0, "mean": 114.5, "median": 114.5, "items": 30}
    rates = comparison["pass_rate"]
    assert rates["difference"] == pytest.approx(2 / 3)
    assert rates["interval"][0] > 0.4
    assert rates["p_value"] == rates["p_adjusted"] == pytest.approx(2 * 0.5**20)
    assert comparison["score"]["difference"] == pytest.approx(2 / 3)
    assert comparison["score"]["interval"][0] > 0.4
    assert comparison["better"] == {"count": 20, "item_ids": parts.item_ids[10:30]}
    assert comparison["worse"] == {"count": 0, "item_ids": []}
    assert comparison["verdict"] == "better"
    assert comparison["text"].startswith("Better: 20 items got better and 0 worse, of 30 (p = ")
    assert "from 33.3% to 100.0%" in comparison["text"]
    backwards = await parts.compare(second, first)
    [comparison] = backwards["comparisons"]
    assert comparison["verdict"] == "worse"
    assert comparison["worse"]["count"] == 20


async def test_a_difference_too_small_to_be_told(parts: Parts) -> None:
    first = await parts.run(BETTER)
    second = await parts.run([False, *BETTER[1:28], True, True])
    [comparison] = (await parts.compare(first, second))["comparisons"]
    assert comparison["verdict"] == "undecided"
    assert comparison["pass_rate"]["p_value"] == 1.0
    assert (comparison["better"]["count"], comparison["worse"]["count"]) == (2, 1)
    assert comparison["smallest_difference"] == pytest.approx(6 / 30)
    assert comparison["text"] == (
        "No difference that these 30 items can show: 2 got better and 1 worse (p = 1). A "
        "difference of 20.0 points or more would have shown; a smaller one may be there all the "
        "same."
    )


async def test_five_items_can_show_nothing(make: Factory, database: Database) -> None:
    parts = await Parts(make, database).prepare(5)
    first, second = await parts.run([False] * 5), await parts.run([True] * 5)
    [comparison] = (await parts.compare(first, second))["comparisons"]
    assert comparison["verdict"] == "undecided"
    assert comparison["smallest_difference"] is None
    assert "too few to show any difference" in comparison["text"]


async def test_runs_that_are_the_same_and_a_run_without_results(parts: Parts) -> None:
    first, second, empty = await parts.run(WON), await parts.run(WON), await parts.run([])
    same, none = (await parts.compare(first, second, empty))["comparisons"]
    assert "each came out the same in both" in same["text"]
    assert none["pairs"] == 0
    assert none["only_before"] == 30
    assert none["text"] == "Nothing can be said: no item has a result in both."
    assert none["score"] is none["pass_rate"]["interval"] is none["before"]["pass_rate"] is None


async def test_only_items_of_both_count(parts: Parts) -> None:
    first = await parts.run([*WON[:28], None, None])
    second = await parts.run([None, *WON[1:]])
    [comparison] = (await parts.compare(first, second))["comparisons"]
    assert comparison["pairs"] == 27
    assert (comparison["only_before"], comparison["only_after"]) == (1, 2)
    assert comparison["before"]["cost"]["total"] == 27 * 0.25


async def test_items_that_were_changed_in_between_are_no_pairs(
    parts: Parts, database: Database
) -> None:
    first = await parts.run(BETTER, dataset_version=1)
    second = await parts.run(WON, dataset_version=3)
    third = await parts.run(WON, dataset_version=4)
    async with database.session() as session:
        dataset = await session.get_one(Dataset, UUID(parts.dataset["id"]))
        dataset.version = 4
        for number, changed_in in enumerate((2, 3, 4)):
            item = await session.get_one(DatasetItem, UUID(parts.item_ids[number]))
            item.created_in, item.changed_in = 0, changed_in
        # Changed in version 2, and once more in 4.
        item = await session.get_one(DatasetItem, UUID(parts.item_ids[5]))
        item.created_in, item.changed_in = 0, 4
        for since, until in ((0, 2), (2, 4)):
            content = {"from_version": since, "to_version": until, "input": {}}
            session.add(ItemRevision(item_id=item.id, **content))
    one, two = (await parts.compare(first, second, third))["comparisons"]
    assert (one["changed"], one["pairs"]) == (3, 27)
    assert (two["changed"], two["pairs"]) == (4, 26)
    [later] = (await parts.compare(second, third))["comparisons"]
    assert later["changed"] == 2


@pytest.mark.parametrize(
    ("rule", "passed"),
    [
        ({"pass_when": PassWhen.any}, [True, True, False]),
        ({"pass_when": PassWhen.all}, [True, False, False]),
        ({"pass_when": PassWhen.mean}, [True, True, False]),
        ({"pass_when": PassWhen.mean, "threshold": 0.6}, [True, False, False]),
        ({"pass_when": PassWhen.mean, "threshold": 0.5}, [True, True, False]),
    ],
)
async def test_repetitions_count_by_the_runs_rule(
    parts: Parts, rule: dict[str, Any], passed: list[bool]
) -> None:
    repeated = await parts.store(
        {ECHO: [[True, True], [True, False], [False, False], [True, None]]}, **rule
    )
    once = await parts.run([False, False, False, False])
    answer = await parts.compare(once, repeated)
    assert answer["graded_alike"] is (rule == {"pass_when": PassWhen.all})
    [comparison] = answer["comparisons"]
    # The fourth item does not have all of its repetitions yet.
    assert (comparison["pairs"], comparison["only_before"]) == (3, 1)
    assert comparison["after"]["passed"] == sum(passed)
    expected = [id_ for id_, one in zip(parts.item_ids, passed, strict=False) if one]
    assert comparison["better"]["item_ids"] == expected
    assert comparison["after"]["mean_score"] == pytest.approx(0.5)


async def test_models_are_paired_by_name_by_place_and_as_told(parts: Parts) -> None:
    both = await parts.run(WON, BETTER, models=[ECHO, OTHER])
    one, another = await parts.run(WON), await parts.run(WON, models=[OTHER])
    answer = await parts.compare(both, await parts.run(WON, WON, models=[OTHER, ECHO]))
    names = [(c["before"]["model"], c["after"]["model"]) for c in answer["comparisons"]]
    assert names == [(ECHO, ECHO), (OTHER, OTHER)]
    answer = await parts.compare(one, another)
    assert [c["after"]["model"] for c in answer["comparisons"]] == [OTHER]
    answer = await parts.compare(both, another, model=f"{ECHO}={OTHER}")
    names = [(c["before"]["model"], c["after"]["model"]) for c in answer["comparisons"]]
    assert names == [(ECHO, OTHER)]
    strange = await parts.run(WON, models=["a=b=c"])
    answer = await parts.compare(strange, one, model=f"a=b=c={ECHO}")
    assert answer["comparisons"][0]["before"]["model"] == "a=b=c"
    problem = await parts.compare(both, strange, status=422)
    assert problem["code"] == "not_comparable"
    assert "no model in common" in problem["errors"][0]["message"]
    problem = await parts.compare(both, another, status=422, model=ECHO)
    assert problem["errors"][0]["place"] == "query.model[0]"


async def test_p_values_are_corrected_for_their_number(parts: Parts) -> None:
    first = await parts.run([False] * 30)
    second = await parts.run([True] * 7 + [False] * 23)
    third = await parts.run([True] * 6 + [False] * 24)
    two, three = (await parts.compare(first, second, third))["comparisons"]
    assert two["pass_rate"]["p_value"] == pytest.approx(2 / 2**7)
    assert two["pass_rate"]["p_adjusted"] == pytest.approx(4 / 2**7)
    assert (two["verdict"], three["verdict"]) == ("better", "better")
    assert three["pass_rate"]["p_adjusted"] == pytest.approx(2 / 2**6)
    assert two["score"]["p_adjusted"] >= two["score"]["p_value"]
    # Alone among three, seven items would not have been enough.
    answers = await parts.compare(first, second, first_copy := await parts.run([False] * 30))
    assert answers["comparisons"][0]["verdict"] == "better"
    assert answers["comparisons"][1]["run_id"] == first_copy
    assert answers["comparisons"][1]["smallest_difference"] == pytest.approx(7 / 30)


async def test_a_score_that_differs_where_passes_do_not(parts: Parts, database: Database) -> None:
    first, second = await parts.run(WON), await parts.run(WON)
    async with database.session() as session:
        for number, item_id in enumerate(parts.item_ids):
            [result] = await session.scalars(
                EvalResult.__table__.select()
                .with_only_columns(EvalResult.id)
                .where(
                    EvalResult.eval_run_id == UUID(first),
                    EvalResult.dataset_item_id == UUID(item_id),
                )
            )
            (await session.get_one(EvalResult, result)).score = 0.5 + number / 100
    [comparison] = (await parts.compare(first, second))["comparisons"]
    assert comparison["verdict"] == "undecided"
    assert "The mean score is higher, though: by 0.355" in comparison["text"]
    again = (await parts.compare(first, second))["comparisons"]
    assert again == [comparison], "the bootstrap is seeded"


async def test_changed_items_come_in_pages(parts: Parts, make: Factory) -> None:
    first, second = await parts.run(BETTER), await parts.run([not one for one in BETTER])
    [comparison] = (await parts.compare(first, second, shown=3))["comparisons"]
    assert comparison["better"] == {"count": 20, "item_ids": parts.item_ids[10:13]}
    assert comparison["worse"] == {"count": 10, "item_ids": parts.item_ids[:3]}
    query = {"ids": f"{first},{second}", "change": "better"}
    pages = await make.pages("/eval-runs/compare/items", limit=8, **query)
    assert [len(page) for page in pages] == [8, 8, 4]
    rows = [row for page in pages for row in page]
    assert [row["item_id"] for row in rows] == parts.item_ids[10:]
    assert rows[0] == {"item_id": parts.item_ids[10], "score_before": 0.0, "score_after": 1.0}
    worse = await make.pages("/eval-runs/compare/items", limit=8, **query | {"change": "worse"})
    assert [row["item_id"] for page in worse for row in page] == parts.item_ids[:10]
    both = await parts.run(WON, WON, models=[ECHO, OTHER])
    query["ids"] = f"{both},{await parts.run(WON, WON, models=[ECHO, OTHER])}"
    problem = await make.call("GET", "/eval-runs/compare/items", 422, **query)
    assert problem["errors"][0]["place"] == "query.model"
    await make.call("GET", "/eval-runs/compare/items", 200, model=ECHO, **query)


async def test_what_cannot_be_compared(parts: Parts, make: Factory, database: Database) -> None:
    first = await parts.run(WON)
    other = await (await Parts(make, database).prepare()).run(WON)
    problem = await parts.compare(first, other, status=422)
    assert "different datasets" in problem["detail"]
    assert problem["errors"][0]["place"] == "query.ids[1]"
    problem = await parts.compare(first, first, status=422)
    assert problem["errors"][0]["place"] == "query.ids"
    await parts.compare(first, status=422)
    await parts.compare(*[str(uuid4()) for _ in range(11)], status=422)
    await parts.compare("a", "b", status=422)
    gone = str(uuid4())
    problem = await parts.compare(first, gone, status=404)
    assert gone in problem["detail"]
