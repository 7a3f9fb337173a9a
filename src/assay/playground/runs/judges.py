"""Whom the assertions of a run ask, checked before the run is started."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Text, column, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import AssayError, FieldFault, Invalid
from assay.gateway.service import Gateway
from assay.gateway.types import Usage
from assay.grading.assertions import Assertion, AssertionFault, compile_assertions
from assay.grading.checks import CheckFault
from assay.grading.judges.dialogue import JudgedType, Role
from assay.grading.judges.provider import JudgeCheck, missing_judge, read_provider
from assay.grading.questions import JudgeModel, Judges
from assay.grading.registry import JUDGED_TYPES, NEGATION
from assay.playground.datasets.models import Dataset

# Different judges that the items of a dataset name.
_MOST_KINDS = 1000
_USAGE: Mapping[Role, Usage] = {"text": Usage(1, 1), "embedding": Usage(1)}
_PATH = 'strict $.** ? (@.type like_regex "^({negation})?({names})$")'.format(
    negation=NEGATION, names="|".join(JUDGED_TYPES)
)

# Items can have assertions of their own, and there can be a million of them.
_OF_ITEMS = text("""
    SELECT DISTINCT found ->> 'type' AS type, found -> 'provider' AS provider
    FROM playground.dataset_items AS item,
        jsonb_path_query(item.assertions, CAST(CAST(:path AS text) AS jsonpath)) AS found
    WHERE item.dataset_id = :dataset_id AND item.deleted_in IS NULL
    LIMIT :most
""").columns(column("type", Text), column("provider", JSONB))


def judges_of(judge: Mapping[str, Any] | None) -> Judges:
    """The judges that a run names for assertions which name none; `judge` is its column."""
    if judge is None:
        return Judges()
    return Judges(
        _named(judge.get("model"), judge.get("parameters")),
        _named(judge.get("embedding"), judge.get("embedding_parameters")),
    )


def _named(name: str | None, parameters: Mapping[str, Any] | None) -> JudgeModel | None:
    return JudgeModel(name, parameters or {}) if name else None


async def check_judges(
    session: AsyncSession,
    gateway: Gateway,
    dataset_id: UUID,
    assertions: Sequence[Assertion | dict[str, Any]],
    judge: Mapping[str, Any] | None,
    *,
    priced: bool = False,
) -> None:
    """See to it that every assertion of a run that asks a model has one that can be asked.

    Args:
        session: to read the dataset's assertions and those of its items.
        gateway: knows which models can be asked.
        dataset_id: of the run.
        assertions: of the run itself.
        judge: whom assertions ask that name nobody.
        priced: whether what judges cost has to be known.

    Raises:
        Invalid: with the place of each that has none, and how to name one.
    """
    default, needs = judges_of(judge), _Needs(gateway)
    faults = _of_default(gateway, default)
    if not faults:
        dataset = await session.get_one(Dataset, dataset_id)
        standing = dataset.default_assertions or ()
        faults += _of_list("body.assertions", assertions, default, needs.check)
        faults += _of_list("the dataset's default_assertions", standing, default, needs.check)
        given = {"path": _PATH, "dataset_id": dataset_id, "most": _MOST_KINDS}
        for type_, provider in await session.execute(_OF_ITEMS, given):
            judged = JUDGED_TYPES[type_.removeprefix(NEGATION)]
            try:
                needs.check(type_, judged, read_provider(provider, judged).otherwise(default))
            except CheckFault as fault:
                faults.append(FieldFault("the items' assertions", str(fault)))
    if faults:
        raise Invalid(f"The run cannot be judged: {faults[0].message}", errors=faults)
    if priced and (unpriced := await needs.unpriced()):
        raise Invalid(
            "Without a known price a budget cannot be kept, and there is none for the judges "
            f"{', '.join(unpriced)}.",
            errors=[FieldFault("body.max_cost", "only for judges with a known price")],
        )


class _Needs:
    """The models that assertions need, gathered while they are checked."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._needed: set[tuple[Role, str]] = set()

    def check(self, name: str, judged: JudgedType, judges: Judges) -> None:
        """Raise CheckFault where an assertion of type `name` has nobody who can be asked."""
        for role in judged.asks:
            model = judges.text if role == "text" else judges.embedding
            if model is None:
                raise missing_judge(name, role)
            if (role, model.name) in self._needed:
                continue
            try:
                _check_with(self._gateway, role)(model.name)
            except AssayError as error:
                raise CheckFault(str(error), "provider") from None
            self._needed.add((role, model.name))

    async def unpriced(self) -> list[str]:
        """Those whose price is not known."""
        return [
            name
            for role, name in sorted(self._needed)
            if (await self._gateway.rate(name))(_USAGE[role]) is None
        ]


def _check_with(gateway: Gateway, role: Role) -> Callable[[str], None]:
    return gateway.check if role == "text" else gateway.check_embedder


def _of_default(gateway: Gateway, default: Judges) -> list[FieldFault]:
    faults = []
    named: list[tuple[Role, str, JudgeModel | None]] = [
        ("text", "body.judge.model", default.text),
        ("embedding", "body.judge.embedding", default.embedding),
    ]
    for role, place, model in named:
        try:
            if model is not None:
                _check_with(gateway, role)(model.name)
        except AssayError as error:
            faults.append(FieldFault(place, str(error)))
    return faults


def _of_list(
    place: str,
    assertions: Sequence[Assertion | dict[str, Any]],
    default: Judges,
    check: JudgeCheck,
) -> list[FieldFault]:
    try:
        compile_assertions(assertions, judges=default, check=check)
    except AssertionFault as fault:
        return [
            FieldFault(place + each.place.removeprefix("assertions"), each.message)
            for each in fault.errors
        ]
    return []
