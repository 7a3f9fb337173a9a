"""The control plane of a stand-in: sandboxes made, listed, paused, resumed and killed."""

from urllib.parse import parse_qsl, unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from tests.agents.sandboxes.providers.e2b.account import E2B

PAGE = 2


class ControlPlane:
    """Takes calls with the right key only, which is seen to in front of it."""

    def __init__(self, there: E2B) -> None:
        self._there = there

    async def create(self, request: Request) -> Response:
        key = request.headers.get("idempotency-key")
        made = await self._there.make(await request.json(), key)
        return JSONResponse(made.shown(), 201)

    async def show(self, request: Request) -> Response:
        asked = parse_qsl(request.query_params.get("metadata", ""))
        wanted = {name: unquote(value) for name, value in asked}
        found = [
            kept.listed()
            for kept in self._there.sandboxes.values()
            if wanted.items() <= kept.asked.get("metadata", {}).items()
        ]
        begin = int(request.query_params.get("nextToken", 0))
        end = begin + PAGE
        more = {"X-Next-Token": str(end)} if len(found) > end else None
        return JSONResponse(found[begin:end], headers=more)

    async def connect(self, request: Request) -> Response:
        kept = self._there.sandboxes.get(request.path_params["number"])
        if kept is None:
            return _unknown()
        asked = await request.json()
        if kept.unresponsive and asked.get("memory") is not False:
            code = "sandbox_snapshot_guest_agent_unresponsive"
            return JSONResponse({"code": 409, "error_code": code, "message": "no guest"}, 409)
        if kept.paused:
            kept.paused = False
            kept.machine.freeze(False)
        kept.timeouts.append(asked["timeout"])
        return JSONResponse(kept.shown())

    async def pause(self, request: Request) -> Response:
        kept = self._there.sandboxes.get(request.path_params["number"])
        if kept is None:
            return _unknown()
        if kept.paused:
            return JSONResponse({"code": 409, "message": "paused already"}, 409)
        kept.paused = True
        kept.machine.freeze(True)
        return Response(status_code=204)

    async def kill(self, request: Request) -> Response:
        if request.path_params["number"] not in self._there.sandboxes:
            return _unknown()
        await self._there.vanish(request.path_params["number"])
        return Response(status_code=204)


def _unknown() -> Response:
    return JSONResponse({"code": 404, "message": "Sandbox not found"}, 404)


def control_routes(there: E2B) -> list[BaseRoute]:
    plane = ControlPlane(there)
    return [
        Route("/v2/sandboxes", plane.create, methods=["POST"]),
        Route("/v2/sandboxes", plane.show),
        Route("/v2/sandboxes/{number}/connect", plane.connect, methods=["POST"]),
        Route("/sandboxes/{number}/pause", plane.pause, methods=["POST"]),
        Route("/sandboxes/{number}", plane.kill, methods=["DELETE"]),
    ]
