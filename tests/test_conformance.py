"""Every operation of `/api` keeps what openapi.json promises, for good input and for bad.

Schemathesis makes the requests from the document itself and holds the answers against it. They
go to the real application and database as an admin, and most of them are about things that are
there.
"""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from schemathesis import Case, CheckContext, GenerationMode, Response
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.agents.world import make_agents_world
from tests.apps.world import make_apps_world
from tests.consults.webhooks.world import make_webhooks_world
from tests.consults.world import make_requests_world
from tests.identity.people import Installation, Person, installed
from tests.playground.conftest import Factory

from assay.core.config import Settings
from assay.core.ids import new_id
from assay.identity.actor import Role, Scope
from assay.identity.sessions.models import UserSession
from assay.identity.users.models import User
from assay.playground.projects.models import ProjectMember
from assay.playground.runs.models import EvalResult, EvalRun, RunStatus

DOCUMENT = json.loads((Path(__file__).parent.parent / "openapi.json").read_text())
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = {
    operation["operationId"]: SCHEMA[path][method.upper()]
    for path, methods in DOCUMENT["paths"].items()
    if path.startswith("/api/")
    for method, operation in methods.items()
    # Its answer does not end; tests/events has more on it.
    if operation["operationId"] != "events:stream_events"
    # Its error is no problem document.
    and operation["operationId"] != "health:get_api_health"
}


def raw(operation: Any) -> dict[str, Any]:
    """The operation as the document has it, with what holds for all of them."""
    return {"security": DOCUMENT["security"], **operation.definition.raw}


PUBLIC = {name for name, operation in OPERATIONS.items() if not raw(operation)["security"]}
CASES = [
    pytest.param(name, mode, id=f"{name}-{mode.value}")
    for name, operation in OPERATIONS.items()
    for mode in GenerationMode
    # What takes nothing, or any text, can be given nothing wrong.
    if mode is GenerationMode.POSITIVE
    or (
        name != "shared:read_shared"
        and {"parameters", "requestBody", "security"} & {k for k, v in raw(operation).items() if v}
    )
]
EXAMPLES = 8
LONGEST_URL = 60_000
TEXTS = {"text/csv", "application/x-ndjson"}
# What the server reads as yes.
TRUE = (True, 1, "1", "on", "t", "true", "y", "yes")
# What these succeed on is not there any more, or not as it was.
_ENDING = re.compile(":(delete|cancel|resume|end|revoke)_|:respond$")
USING_UP = {name for name in OPERATIONS if _ENDING.search(name)}
AnyCase = Case[Any]
World = dict[str, list[str]]
MakeWorld = Callable[[], Awaitable[World]]


def errors_are_problems(_ctx: CheckContext, response: Response, _case: AnyCase) -> None:
    """Each error is a problem document with the id of the request."""
    if response.status_code >= 400:
        assert response.headers["content-type"] == ["application/problem+json"]
        problem = response.json()
        assert problem["status"] == response.status_code
        assert problem["detail"]
        assert [problem["request_id"]] == response.headers["x-request-id"]


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    errors_are_problems,
]


@pytest.fixture(scope="module")
async def installation(
    settings: Settings, new_database_dsn: Callable[[], Awaitable[str]]
) -> AsyncIterator[Installation]:
    async with installed(settings, database_url=await new_database_dsn()) as installation:
        yield installation


@pytest.fixture(scope="module")
async def admin(installation: Installation) -> Person:
    return await installation.person(Role.admin)


@pytest.fixture(scope="module")
async def nobody(installation: Installation) -> httpx2.AsyncClient:
    return await installation.client()


@pytest.fixture
def make_world(installation: Installation, admin: Person) -> MakeWorld:
    """Makes some of everything; gives ids by the names they have in paths and bodies."""
    database = installation.database
    make = Factory(admin.client, database)

    async def world() -> World:
        use_case = await make.use_case()
        prompt, dataset = await make.prompt(use_case["id"]), await make.dataset(use_case["id"])
        version, unused = await make.version(prompt["id"]), await make.version(prompt["id"])
        path = f"/prompts/{prompt['id']}/labels/live"
        await make.call("PUT", path, 200, {"version_number": version["version_number"]})
        items = await make.items(dataset["id"], 2)
        run_id, ended_id = [await make.run(version["id"], dataset["id"]) for _ in range(2)]
        key = await make.call("POST", "/keys", 201, {"name": "k", "scopes": [Scope.admin]})
        await make.call("PUT", "/providers/openai", 200, {"api_key": "sk-1"})
        number = new_id()
        user = User(id=number, email=f"{number}@example.com", name="Ada", role=Role.viewer)
        signed_in = UserSession(
            id=new_id(), user_id=admin.id, expires_at=datetime.now(UTC) + timedelta(hours=1)
        )
        async with database.session() as session:
            session.add_all([user, signed_in])
            await session.flush()
            session.add(
                ProjectMember(
                    project_id=UUID(use_case["project_id"]),
                    user_id=user.id,
                    role=Role.viewer,
                    added_by="default",
                )
            )
            ended = await session.get_one(EvalRun, ended_id)
            ended.status = RunStatus.canceled
            session.add(
                EvalResult(
                    eval_run_id=run_id,
                    dataset_item_id=UUID(items[0]["id"]),
                    model_id="builtin/echo",
                    model_config={"model": "builtin/echo"},
                    output="message 0",
                    grading={"passed": True, "score": 1.0},
                    passed=True,
                    score=1.0,
                )
            )
        in_apps = await make_apps_world(database, str(admin.id))
        # Admins see those of all, and one may only have so many.
        webhooks = await make_webhooks_world(database, str(user.id))
        asked = await make_requests_world(database, str(user.id))
        in_agents = await make_agents_world(database, str(admin.id))
        made = in_apps | webhooks | asked | in_agents
        return {name: [id_] for name, id_ in made.items()} | {
            "project_id": [use_case["project_id"]],
            "use_case_id": [use_case["id"]],
            "prompt_id": [prompt["id"]],
            "prompt_version_id": [version["id"]],
            "version_id": [version["id"], unused["id"]],
            "reference": ["live", "2"],
            "label": ["live"],
            "dataset_id": [dataset["id"]],
            "item_id": [item["id"] for item in items],
            "run_id": [str(run_id), str(ended_id)],
            "user_id": [str(user.id)],
            "email": [user.email],
            "key_id": [key["id"]],
            "session_id": [str(signed_in.id)],
            "name": ["openai"],
        }

    return world


@pytest.fixture(scope="module")
def untouched() -> list[World]:
    """The world as it was made, where nothing has changed it since."""
    return []


@pytest.fixture
async def world(make_world: MakeWorld, untouched: list[World]) -> World:
    if not untouched:
        untouched.append(await make_world())
    return untouched[0]


def is_good(case: AnyCase, location: ParameterLocation) -> bool:
    """Whether this part of a request was made to conform to the document."""
    part = case.meta.components.get(location) if case.meta else None
    return part is not None and part.mode is GenerationMode.POSITIVE


def aim(case: AnyCase, world: World, choice: int) -> None:
    """Make the request one about things that are there; `choice` among several."""
    ids = {name: given[choice % len(given)] for name, given in world.items()}
    if is_good(case, ParameterLocation.PATH):
        for name in case.path_parameters.keys() & ids.keys():
            case.path_parameters[name] = ids[name]
    if is_good(case, ParameterLocation.BODY) and isinstance(case.body, dict):
        for name in case.body.keys() & ids.keys():
            case.body[name] = ids[name]
        # Elsewhere it is a sign-in's.
        if "session_id" in case.body:
            case.body["session_id"] = ids["chat_session_id"]
        if "models" in case.body:
            case.body["models"] = [{"model": "builtin/echo"}]


def arrives_well(case: AnyCase) -> bool:
    """Whether what was made wrong may be right once it is sent.

    In a URL a list of texts becomes texts; a body that should be text is text, whatever it was.
    """
    in_url = any(isinstance(value, list | dict) for value in case.query.values())
    return in_url or case.media_type in TEXTS


async def send(client: httpx2.AsyncClient, case: AnyCase) -> httpx2.Response:
    if isinstance(case.query.get("wait"), int | float):
        case.query["wait"] = min(case.query["wait"], 0.05)
    if case.operation.path.endswith("/events") and case.query.get("follow", True) in TRUE:
        # The task does not end.
        case.query["follow"] = False
    case.headers.pop("Authorization", None)  # who may what is tested elsewhere
    case.cookies.clear()
    prepared = requests.Request(**case.as_transport_kwargs(base_url="http://localhost")).prepare()
    assert prepared.method
    assert prepared.url
    # What the client does not send never arrives.
    assume(len(prepared.url) < LONGEST_URL)
    assert prepared.body is None or isinstance(prepared.body, str | bytes)
    headers = {name: str(value) for name, value in prepared.headers.items()}
    return await client.request(
        prepared.method, prepared.url, headers=headers, content=prepared.body
    )


@cache
def requests_for(operation_id: str, mode: GenerationMode) -> st.SearchStrategy[AnyCase]:
    return OPERATIONS[operation_id].as_strategy(mode)


@pytest.mark.parametrize(("operation_id", "mode"), CASES)
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
async def test_an_operation_keeps_its_word(
    admin: Person,
    nobody: httpx2.AsyncClient,
    world: World,
    untouched: list[World],
    make_world: MakeWorld,
    operation_id: str,
    mode: GenerationMode,
    data: st.DataObject,
) -> None:
    case = data.draw(requests_for(operation_id, mode))
    choice = data.draw(st.integers(0, 8), label="which of those that are there; 0 for none")
    if choice:
        aim(case, world, choice)
    response = await send(nobody if operation_id in PUBLIC else admin.client, case)
    checks = [check for check in CHECKS if check is not negative_data_rejection]
    case.validate_response(response, checks=checks if arrives_well(case) else CHECKS)
    if response.is_success and case.method != "GET":
        untouched.clear()
    if response.is_success and operation_id in USING_UP:
        world.update(await make_world())
