"""The state machine of requests against a plain model of it, in whatever order things happen.

Hypothesis makes up people who answer, change their minds, are switched off, cancel, reassign and
escalate, alone and at the same moment, while deadlines pass and the clock looks or does not look.
All of it goes to the real application and database. The model says for each step what may come of
it; afterwards each request has one end, told once, however it came about.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import hypothesis
import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text
from tests.consults.asking import Asker, Row
from tests.identity.people import Installation, installed

from assay.consults.requests.clock import move_on
from assay.core.config import Settings
from assay.identity.actor import Role

PEOPLE = 4
ANSWERS = st.sampled_from([True, False])
RULES = st.sampled_from(["first", "majority", "unanimous"])


@dataclass
class Model:
    """What is known of one request without asking for it."""

    id: str
    rule: str
    quorum: int
    default: bool | None
    assigned: set[int] | None
    limited: bool
    passed: bool = False
    status: str = "pending"
    response: bool | None = None
    decided_by: str | None = None
    answers: dict[int, bool] = field(default_factory=dict)
    escalated: bool = False

    def may_answer(self, person: int) -> bool:
        return self.assigned is None or person in self.assigned

    def respond(self, person: int, answer: bool, active: set[int]) -> int:
        """Answer; gives the status of the response over HTTP."""
        if not self.may_answer(person):
            return 404
        if self.status != "pending" or self.passed:
            return 409
        # Who answers again comes last.
        self.answers.pop(person, None)
        self.answers[person] = answer
        votes = [value for who, value in self.answers.items() if who in active]
        decided = self._decision(votes)
        if decided is not None:
            self.status, self.response, self.decided_by = "answered", decided, "reviewers"
        return 200

    def _decision(self, votes: list[bool]) -> bool | None:
        if self.rule == "first":
            return votes[0] if votes else None
        if self.rule == "unanimous":
            if False in votes:
                return False
            return True if len(votes) >= self.quorum else None
        for answer in (True, False):
            if 2 * votes.count(answer) > self.quorum:
                return answer
        return None

    def cancel(self) -> int:
        if self.status != "pending":
            return 409
        self.status = "cancelled"
        return 200

    def look(self) -> None:
        """The clock looks."""
        if self.status != "pending" or not self.passed:
            return
        if self.default is None:
            self.status = "expired"
        else:
            self.status, self.response = "answered", self.default
            self.decided_by = "default"

    def as_read(self) -> tuple[str, Any, str | None]:
        response = None if self.response is None else {"approved": self.response}
        return self.status, response, self.decided_by


Step = Callable[[Model], int]


class Requests(RuleBasedStateMachine):
    """Steps that people, programs and the clock make."""

    run: Callable[[Coroutine[Any, Any, Any]], Any]
    installation: Installation
    asker: Asker
    people: list[Asker]

    @initialize()
    def begin(self) -> None:
        self.models: list[Model] = []
        self.active = set(range(PEOPLE))
        self.run(self._activate(True, *range(PEOPLE)))

    async def _activate(self, active: bool, *numbers: int) -> None:
        # Without ending sign-ins, so that whoever is switched on again can go on.
        async with self.installation.database.session() as session:
            for number in numbers:
                await session.execute(
                    text("UPDATE identity.users SET is_active = :active WHERE id = :id"),
                    {"active": active, "id": self.people[number].person.id},
                )

    @precondition(lambda self: len(self.models) < 3)
    @rule(
        by=RULES,
        quorum=st.integers(1, 3),
        limited=st.booleans(),
        default=st.none() | ANSWERS,
        assigned=st.none() | st.sets(st.integers(0, PEOPLE - 1), min_size=3),
    )
    def ask(
        self,
        by: str,
        quorum: int,
        limited: bool,
        default: bool | None,
        assigned: set[int] | None,
    ) -> None:
        quorum = 1 if by == "first" else quorum
        if assigned is not None and not assigned <= self.active:
            assigned = None
        fields: dict[str, Any] = {"rule": by, "quorum": quorum, "escalate_to_role": "reviewer"}
        if limited:
            fields["deadline_in"] = 900
            if default is not None:
                fields["default_response"] = {"approved": default}
        if assigned is not None:
            fields["assignees"] = [self.people[number].id for number in assigned]
        made = self.run(self.asker.ask(callback_url="https://example.com/hook", **fields))
        default = default if limited else None
        self.models.append(Model(made["id"], by, quorum, default, assigned, limited))

    def _model(self, number: int) -> Model:
        return self.models[number % len(self.models)]

    def _respond(self, model: Model, person: int, answer: bool) -> tuple[Step, Awaitable[int]]:
        path = f"/api/v1/requests/{model.id}/respond"
        body = {"value": {"approved": answer}}
        active = set(self.active)
        return (
            lambda state: state.respond(person, answer, active),
            self._status(self.people[person].client.post(path, json=body)),
        )

    def _cancel(self, model: Model) -> tuple[Step, Awaitable[int]]:
        path = f"/api/v1/requests/{model.id}/cancel"
        return Model.cancel, self._status(self.asker.client.post(path))

    async def _status(self, answering: Awaitable[Any]) -> int:
        status: int = (await answering).status_code
        return status

    def _one_after_another(self, model: Model, *steps: tuple[Step, Awaitable[int]]) -> None:
        """Do steps at the same time; what comes of them is what some order of them gives."""

        async def at_once() -> list[int]:
            return list(await asyncio.gather(*(asked for _, asked in steps)))

        statuses = self.run(at_once())
        read = self.run(self.asker.read({"id": model.id}))
        orders = [steps, steps[::-1]]
        for order in orders:
            state = deepcopy(model)
            came = {id(step): step(state) for step, _ in order}
            same = [came[id(step)] for step, _ in steps] == statuses
            if same and state.as_read() == _as_read(read):
                self.models[self.models.index(model)] = state
                return
        raise AssertionError(f"{statuses} and {_as_read(read)} come of no order of steps: {model}")

    @precondition(lambda self: self.models)
    @rule(number=st.integers(0, 2), person=st.integers(0, PEOPLE - 1), answer=ANSWERS)
    def respond(self, number: int, person: int, answer: bool) -> None:
        model = self._model(number)
        if person in self.active:
            self._one_after_another(model, self._respond(model, person, answer))

    @precondition(lambda self: self.models)
    @rule(
        number=st.integers(0, 2),
        persons=st.lists(st.integers(0, PEOPLE - 1), min_size=2, max_size=2, unique=True),
        answers=st.tuples(ANSWERS, ANSWERS),
    )
    def two_respond_at_once(
        self, number: int, persons: list[int], answers: tuple[bool, bool]
    ) -> None:
        model = self._model(number)
        steps = [
            self._respond(model, person, answer)
            for person, answer in zip(persons, answers, strict=True)
            if person in self.active
        ]
        if steps:
            self._one_after_another(model, *steps)

    @precondition(lambda self: self.models)
    @rule(number=st.integers(0, 2))
    def cancel(self, number: int) -> None:
        model = self._model(number)
        self._one_after_another(model, self._cancel(model))

    @precondition(lambda self: self.models)
    @rule(number=st.integers(0, 2), person=st.integers(0, PEOPLE - 1), answer=ANSWERS)
    def cancel_races_an_answer(self, number: int, person: int, answer: bool) -> None:
        model = self._model(number)
        if person in self.active:
            respond = self._respond(model, person, answer)
            self._one_after_another(model, self._cancel(model), respond)

    @rule(person=st.integers(0, PEOPLE - 1))
    def switch_off(self, person: int) -> None:
        self.active.discard(person)
        self.run(self._activate(False, person))

    @rule(person=st.integers(0, PEOPLE - 1))
    def switch_on(self, person: int) -> None:
        self.active.add(person)
        self.run(self._activate(True, person))

    @precondition(lambda self: self.models)
    @rule(number=st.integers(0, 2), persons=st.sets(st.integers(0, PEOPLE - 1), min_size=3))
    def assign(self, number: int, persons: set[int]) -> None:
        model = self._model(number)
        if not persons <= self.active:
            return
        status = 200 if model.status == "pending" else 409
        ids = [self.people[person].id for person in persons]
        self.run(self.asker.do({"id": model.id}, "assign", status, assignees=ids))
        if status == 200:
            model.assigned = persons

    @precondition(lambda self: self.models)
    @rule(number=st.integers(0, 2))
    def escalate(self, number: int) -> None:
        model = self._model(number)
        status = 200 if model.status == "pending" else 409
        self.run(self.asker.do({"id": model.id}, "escalate", status))
        if status == 200:
            model.assigned = None

    @precondition(lambda self: self.models)
    @rule(number=st.integers(0, 2))
    def deadline_passes(self, number: int) -> None:
        model = self._model(number)
        if model.limited and model.status == "pending":
            self.run(self._let_pass(model.id))
            model.passed = True

    async def _let_pass(self, request_id: str) -> None:
        async with self.installation.database.session() as session:
            await session.execute(
                text(
                    "UPDATE consults.consultation_requests "
                    "SET deadline = clock_timestamp() WHERE id = :id"
                ),
                {"id": UUID(request_id)},
            )

    @rule(clocks=st.integers(1, 2))
    def the_clock_looks(self, clocks: int) -> None:
        async def look() -> None:
            await asyncio.gather(*(move_on(self.installation.database) for _ in range(clocks)))

        self.run(look())
        for model in self.models:
            model.look()

    @precondition(lambda self: self.models)
    @rule(number=st.integers(0, 2), person=st.integers(0, PEOPLE - 1), answer=ANSWERS)
    def the_clock_races_an_answer(self, number: int, person: int, answer: bool) -> None:
        model = self._model(number)
        if person not in self.active:
            return
        step, asked = self._respond(model, person, answer)

        async def at_once() -> int:
            status, _ = await asyncio.gather(asked, move_on(self.installation.database))
            return int(status)

        status = self.run(at_once())
        # What has passed its deadline takes no answer, whoever comes first.
        assert status == step(model)
        for each in self.models:
            each.look()

    @invariant()
    def each_request_is_as_the_model_says_and_told_once(self) -> None:
        for model in getattr(self, "models", ()):
            read, events, deliveries = self.run(self._look(model.id))
            assert _as_read(read) == model.as_read()
            assert {each["user_id"] for each in read["responses"]} == {
                self.people[person].id for person in model.answers
            }
            ended = int(model.status != "pending")
            assert sum(e["type"] == f"request.{model.status}" for e in events) == ended
            assert deliveries == ended

    async def _look(self, request_id: str) -> tuple[Row, list[Row], int]:
        row = {"id": request_id}
        async with self.installation.database.session() as session:
            deliveries = await session.scalar(
                text(
                    "SELECT count(*) FROM consults.webhook_deliveries "
                    "WHERE request_id = :id AND event_type <> 'request.created'"
                ),
                {"id": UUID(request_id)},
            )
        return await self.asker.read(row), await self.asker.events(row), deliveries or 0


def _as_read(read: Row) -> tuple[str, Any, str | None]:
    return read["status"], read["response"], read["decided_by"]


@contextmanager
def _machine(given: Settings, dsn: str) -> Iterator[type[RuleBasedStateMachine]]:
    """The machine on an installation and an event loop of its own."""
    with asyncio.Runner() as runner:
        opened = installed(given, database_url=dsn)
        installation = runner.run(opened.__aenter__())

        async def person(role: Role) -> Asker:
            return Asker(await installation.person(role))

        class Machine(Requests):
            pass

        Machine.run = staticmethod(runner.run)
        Machine.installation = installation
        Machine.asker = runner.run(person(Role.viewer))
        Machine.people = [runner.run(person(Role.reviewer)) for _ in range(PEOPLE)]
        try:
            yield Machine
        finally:
            runner.run(opened.__aexit__(None, None, None))


@pytest.fixture
async def dsn(new_database_dsn: Callable[[], Awaitable[str]]) -> str:
    return await new_database_dsn()


EXAMPLES = hypothesis.settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(300)
def test_requests_behave_as_the_model_says(settings: Settings, dsn: str) -> None:
    with _machine(settings, dsn) as machine:
        run_state_machine_as_test(machine, settings=EXAMPLES)
