"""What the OpenAPI document says beyond what FastAPI finds in the routes."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from assay.core.errors import Forbidden, Unauthorized
from assay.core.problems import Problem, problems
from assay.identity.access import is_public
from assay.identity.middleware import ACCESS_COOKIE

_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (`ask_...`), or the access token of a sign-in",
    },
    "cookie": {"type": "apiKey", "in": "cookie", "name": ACCESS_COOKIE},
}
_METHODS = frozenset({"get", "put", "post", "delete", "patch"})


def complete_document(app: FastAPI) -> None:
    """Put the problem document, and what it takes to get in, into the document of `app`."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            _add_problem(document)
            _add_security(document, app)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _add_problem(document: dict[str, Any]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas["Problem"] = schema


def _add_security(document: dict[str, Any], app: FastAPI) -> None:
    document["components"]["securitySchemes"] = _SCHEMES
    document["security"] = [{name: []} for name in _SCHEMES]
    everybodys = {
        (route.path_format, method.lower())
        for route in iter_route_contexts(app.routes)
        if is_public(route)
        for method in route.methods or ()
    }
    for path, operations in document["paths"].items():
        for method in _METHODS & operations.keys():
            if (path, method) in everybodys:
                operations[method]["security"] = []
            else:
                for status, answer in problems(Unauthorized, Forbidden).items():
                    operations[method]["responses"].setdefault(str(status), answer)
