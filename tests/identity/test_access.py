"""Every route has a guard or is public; who a guard lets in is tested in tests/test_routes.py."""

import re
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.responses import PlainTextResponse
from tests.identity.people import Installation, Person
from tests.identity.signing_in import problem

from assay.app import create_app
from assay.core.config import Settings
from assay.identity.access import Guard, UnguardedRoute, public, public_paths
from assay.identity.actor import Actor, Role, Scope

Anyone = Guard(Role.viewer, None)


async def answer() -> int:
    return 1


def closed(_actor: Annotated[Actor, Depends(Anyone)]) -> int:
    return 1


def below(_number: Annotated[int, Depends(closed)]) -> int:
    return 1


def application() -> FastAPI:
    return FastAPI(openapi_url=None)


def test_a_route_without_a_guard_is_found_and_named() -> None:
    app = application()
    app.add_api_route("/open", answer, dependencies=[public])
    app.add_api_route("/closed", closed)
    app.add_api_route("/forgotten/{thing}", answer, methods=["POST"])
    app.add_api_route("/forgotten", answer)
    with pytest.raises(UnguardedRoute) as refused:
        public_paths(app)
    assert "POST /forgotten/{thing}, GET /forgotten:" in str(refused.value)
    assert "/open" not in str(refused.value)
    assert "/closed" not in str(refused.value)


def test_what_is_no_route_of_fastapi_is_guarded_by_nothing() -> None:
    app = application()
    app.add_route("/plain", lambda _request: PlainTextResponse("x"))
    with pytest.raises(UnguardedRoute, match="/plain"):
        public_paths(app)
    with pytest.raises(UnguardedRoute, match=re.escape("/docs")):
        public_paths(FastAPI())


def test_a_guard_of_a_router_or_below_another_dependency_counts() -> None:
    app = application()
    router = APIRouter(prefix="/inner", dependencies=[Depends(Anyone)])
    router.add_api_route("/one", answer)
    app.include_router(router, prefix="/outer")
    app.add_api_route("/below", below)
    assert not public_paths(app).fullmatch("/outer/inner/one")


def test_only_the_paths_of_public_routes_are_public() -> None:
    app = application()
    app.add_api_route("/open/{name}", answer, dependencies=[public])
    app.add_api_route("/a.b", answer, dependencies=[public])
    app.add_api_route("/closed", closed)
    paths = public_paths(app)
    assert [bool(paths.fullmatch(path)) for path in ("/open/x", "/a.b")] == [True, True]
    for path in ("/open/", "/open/x/y", "/open", "/aXb", "/closed", "/a.b\n", "", "/"):
        assert not paths.fullmatch(path), path


async def test_an_application_with_a_forgotten_route_does_not_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgetful = APIRouter()
    forgetful.add_api_route("/forgotten", answer)
    monkeypatch.setattr("assay.app.v1_routers", lambda: [forgetful])
    with pytest.raises(UnguardedRoute, match="GET /api/v1/forgotten"):
        create_app(settings)


async def test_a_refusal_says_what_it_takes(installation: Installation, admin: Person) -> None:
    viewer = await installation.person(Role.viewer)
    low = await viewer.client.get("/api/v1/users")
    assert problem(low) == (403, "role_too_low")
    assert low.json()["detail"] == "This takes the role admin; yours is viewer."
    by_key = await installation.with_key(admin, Scope.playground_read)
    wrong = await by_key.get("/api/v1/users")
    assert problem(wrong) == (403, "scope_missing")
    assert wrong.json()["detail"] == "This takes an API key with the scope admin."
    assert problem(await by_key.get("/api/v1/keys")) == (403, "people_only")
