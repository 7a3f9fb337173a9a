"""Every route of the application, and who may use it."""

from dataclasses import replace
from typing import Any

from tests.identity.walking import Route

from assay.identity.actor import Role, Scope

V1 = "/api/v1"
UNUSED = (("version_id", "unused_version_id"),)
ENDED, OTHER = (("run_id", "ended_run_id"),), (("run_id", "other_run_id"),)
NAME = {"name": "New"}


def anyone(method: str, path: str, status: int = 200) -> Route:
    return Route(method, path, status, public=True)


def person(method: str, path: str, status: int = 200, body: Any = None) -> Route:
    return Route(method, V1 + path, status, people=True, body=body)


def admin(method: str, path: str, status: int = 200, body: Any = None) -> Route:
    return Route(method, V1 + path, status, Role.admin, Scope.admin, body=body)


def read(path: str, lists: str | None = None, query: str = "") -> Route:
    """Something inside a project that everybody reads who sees it."""
    scope, inside = Scope.playground_read, Role.viewer
    return Route("GET", V1 + path, scope=scope, inside=inside, lists=lists, query=query)


def write(
    method: str,
    path: str,
    status: int = 200,
    body: Any = None,
    *,
    role: Role = Role.editor,
    inside: Role = Role.editor,
    ids: tuple[tuple[str, str], ...] = (),
) -> Route:
    """A change inside a project."""
    scope = Scope.playground_write
    return Route(
        method, V1 + path, status, role=role, scope=scope, inside=inside, body=body, ids=ids
    )


def app_read(path: str, query: str = "", status: int = 200) -> Route:
    """Something in apps, where everybody has rows of their own."""
    return Route("GET", f"/api{path}", status, scope=Scope.apps_read, query=query)


def app_write(
    method: str, path: str, status: int = 200, body: Any = None, query: str = ""
) -> Route:
    """A change to one's own rows in apps."""
    role, scope = Role.editor, Scope.apps_write
    return Route(method, f"/api{path}", status, role, scope, body=body, query=query)


def consult_read(path: str) -> Route:
    """Something in consults, where everybody sees what is theirs."""
    return Route("GET", V1 + path, scope=Scope.consults_read)


def consult_write(method: str, path: str, status: int = 200, body: Any = None) -> Route:
    """A change in consults that programs make as well."""
    return Route(method, V1 + path, status, scope=Scope.consults_write, body=body)


def agent_read(path: str, query: str = "") -> Route:
    """Something in agents, of a task that is somebody's own."""
    return Route("GET", V1 + path, scope=Scope.agents_read, query=query)


def agent_write(method: str, path: str, status: int = 200, body: Any = None) -> Route:
    """A change in agents."""
    return Route(method, V1 + path, status, Role.editor, Scope.agents_write, body=body)


PROJECT, USE_CASE = "/projects/{project_id}", "/use-cases/{use_case_id}"
PROMPT, VERSION = "/prompts/{prompt_id}", "/prompt-versions/{version_id}"
DATASET, ITEM, RUN = "/datasets/{dataset_id}", "/dataset-items/{item_id}", "/eval-runs/{run_id}"
READING = Scope.playground_read
NEW_RUN = {
    "prompt_version_id": "<version_id>",
    "dataset_id": "<dataset_id>",
    "models": [{"model": "builtin/echo"}],
}
COMPLETION = {"variables": {"message": "?"}, "model": "builtin/echo", "stream": False}
GATE = {"dataset_id": "<dataset_id>", "min_pass_rate": 0.5}
SUITE = {"prompts": ["Sort {{m}}"], "providers": ["openai:gpt-5"], "tests": [{"vars": {"m": "?"}}]}
BOTH_RUNS = "ids={run_id},{ended_run_id}"
APP_PROMPT, APP_SCHEMA = "/prompts/{app_prompt_id}", "/schemas/{app_schema_id}"
EVALUATOR, APP_RUN, JOB = "/evaluators/{evaluator_id}", "/eval-runs/{app_run_id}", "/jobs/{job_id}"
LISTING = "/listings/{listing_id}"
OF_APP = "app_id=voice-rx"
VERSIONED = {"app_id": "voice-rx", "prompt_type": "walk", "name": "New"}
CHAT, MESSAGE = "/chat/sessions/{chat_session_id}", "/chat/messages/{message_id}"
DONE = {"app_id": "voice-rx", "source_type": "run", "status": "success"}
JUDGE = {"app_id": "voice-rx", "name": "Judge", "prompt": "?", "listing_id": "<listing_id>"}

# What everybody has for themselves.
APP_ROUTES = [
    app_read("/prompts", OF_APP),
    app_write("POST", "/prompts", 201, VERSIONED | {"prompt": "?"}),
    app_write("POST", "/prompts/ensure-defaults", query=OF_APP),
    app_read(APP_PROMPT),
    app_write("PUT", APP_PROMPT, body=NAME),
    app_read("/schemas", OF_APP),
    app_write("POST", "/schemas", 201, VERSIONED | {"schema_data": {}}),
    app_write("POST", "/schemas/ensure-defaults", query=OF_APP),
    app_read(APP_SCHEMA),
    app_write("PUT", APP_SCHEMA, body=NAME),
    app_read("/evaluators", OF_APP),
    app_read("/evaluators/registry", OF_APP),
    app_write("POST", "/evaluators", 201, JUDGE),
    app_read(EVALUATOR),
    app_write("PUT", EVALUATOR, body=NAME),
    app_write("POST", f"{EVALUATOR}/fork", 201),
    app_write("PUT", f"{EVALUATOR}/global", body={"is_global": True}),
    # As yet nothing can be started by itself.
    app_write("POST", "/jobs", 422, {"job_type": "nothing"}),
    app_read("/jobs"),
    app_read(JOB),
    app_write("POST", f"{JOB}/cancel", 409),
    app_read("/eval-runs"),
    app_read("/eval-runs/stats/summary"),
    app_read("/eval-runs/stats/trends"),
    app_read(APP_RUN),
    app_read(f"{APP_RUN}/threads"),
    app_read(f"{APP_RUN}/adversarial"),
    app_read(f"{APP_RUN}/logs"),
    app_read("/threads/{thread_id}/history"),
    app_read("/chat/sessions", OF_APP),
    app_write("POST", "/chat/sessions", 201, {"app_id": "voice-rx"}),
    app_read(CHAT),
    app_write("PUT", CHAT, body={"title": "New"}),
    app_read(f"{CHAT}/messages"),
    app_write("POST", "/chat/messages", 201, {"session_id": "<chat_session_id>", "role": "user"}),
    app_read(MESSAGE),
    app_write("PUT", MESSAGE, body={"content": "New"}),
    app_write("POST", f"{MESSAGE}/tags", body={"tag": "new"}),
    app_write("DELETE", f"{MESSAGE}/tags/{{tag}}"),
    app_write("DELETE", MESSAGE),
    app_write("DELETE", CHAT),
    app_read("/tags", OF_APP),
    app_write("POST", "/tags", 201, {"app_id": "voice-rx", "name": "walk"}),
    app_write("POST", "/tags/{tag_id}/increment"),
    app_write("POST", "/tags/{tag_id}/decrement"),
    app_write("PUT", "/tags/{tag_id}", body=NAME),
    app_write("DELETE", "/tags/{tag_id}"),
    app_read("/history"),
    app_write("POST", "/history", 201, DONE),
    app_read("/history/{history_id}"),
    app_write("DELETE", "/history/{history_id}"),
    app_read("/settings", OF_APP),
    app_write("PUT", "/settings", body={"app_id": "voice-rx", "key": "walk", "value": None}),
    app_write("DELETE", "/settings", query=f"{OF_APP}&key=walk"),
    app_read("/listings", OF_APP),
    app_read("/listings/search", f"{OF_APP}&q=visit"),
    app_write("POST", "/listings", 201, {"app_id": "voice-rx"}),
    app_read(LISTING, OF_APP),
    app_write("PUT", LISTING, body={"title": "New"}),
    # A form is sent in tests/apps/files.
    app_write("POST", "/files/upload", 422),
    app_read("/files/{file_id}"),
    app_read("/files/{file_id}/download"),
    Route("HEAD", "/api/files/{file_id}/download", scope=Scope.apps_read),
    app_write("DELETE", "/files/{file_id}"),
    app_write("DELETE", APP_RUN),
    app_write("DELETE", EVALUATOR),
    app_write("DELETE", LISTING, query=OF_APP),
    app_write("DELETE", APP_SCHEMA),
    app_write("DELETE", APP_PROMPT),
]

REQUEST, TAKEN_BACK = "/requests/{request_id}", (("request_id", "other_request_id"),)
REQUEST_ROUTES = [
    consult_read("/requests"),
    consult_write("POST", "/requests", 201, {"title": "?", "kind": "text"}),
    consult_read(REQUEST),
    consult_read(f"{REQUEST}/events"),
    consult_read(f"{REQUEST}/comments"),
    consult_write("POST", f"{REQUEST}/comments", 201, {"text": "Why?"}),
    consult_write("POST", f"{REQUEST}/assign", body={}),
    consult_write("POST", f"{REQUEST}/escalate", body={"escalate_to_role": "admin"}),
    Route(
        "POST",
        f"{V1}{REQUEST}/respond",
        role=Role.reviewer,
        people=True,
        body={"value": {"approved": True}},
    ),
    replace(consult_write("POST", f"{REQUEST}/cancel"), ids=TAKEN_BACK),
]
WEBHOOK, DELIVERY = "/webhooks/{webhook_id}", "/webhook-deliveries/{delivery_id}"
WEBHOOK_ROUTES = [
    consult_read("/webhooks"),
    consult_write("POST", "/webhooks", 201, {"url": "https://example.com/"}),
    consult_read(WEBHOOK),
    consult_write("PATCH", WEBHOOK, body={"description": "New"}),
    consult_write("POST", f"{WEBHOOK}/rotate-secret", body={}),
    consult_write("POST", f"{WEBHOOK}/test", 202),
    consult_read("/webhook-deliveries"),
    consult_read(DELIVERY),
    consult_write("POST", f"{DELIVERY}/redeliver", 202),
    consult_write("DELETE", WEBHOOK, 204),
]

AGENT, TASK, SANDBOX = "/agents/{agent_id}", "/tasks/{task_id}", "/sandboxes/{sandbox_id}"
AGENT_ROUTES = [
    agent_read("/agents"),
    agent_write("POST", "/agents", 201, {"name": "New", "role": "coder"}),
    agent_read(AGENT),
    agent_write("PATCH", AGENT, body=NAME),
    # It has no model.
    agent_write("POST", f"{AGENT}/start-task", 422, {"task_id": "<task_id>"}),
    agent_read("/tasks"),
    agent_write("POST", "/tasks", 201, {"title": "New"}),
    agent_read(TASK),
    agent_write("PATCH", TASK, body={"title": "New"}),
    agent_write("POST", f"{TASK}/message", 202, {"text": "Hurry"}),
    agent_write("POST", f"{TASK}/cancel"),
    agent_read(f"{TASK}/events", "follow=false"),
    agent_read(f"{TASK}/diff"),
    agent_read(f"{TASK}/git-operations"),
    agent_read("/sandboxes"),
    agent_read(SANDBOX),
    agent_write("DELETE", SANDBOX, 204),
    agent_write("DELETE", TASK, 204),
    agent_write("DELETE", AGENT, 204),
]

# They are asked in this order, so what is deleted comes last, and the inner before the outer.
ROUTES = [
    anyone("GET", "/health"),
    anyone("GET", "/health/ready"),
    anyone("GET", "/api/health"),
    anyone("POST", f"{V1}/auth/login", 422),
    anyone("POST", f"{V1}/auth/refresh", 401),
    anyone("POST", f"{V1}/auth/logout", 204),
    anyone("GET", f"{V1}/shared/{{token}}", 404),
    anyone("GET", f"{V1}/shared/{{token}}/results", 404),
    Route("GET", "/openapi.json"),
    Route("GET", "/docs"),
    Route("GET", "/metrics", role=Role.admin, scope=Scope.metrics_read),
    Route("GET", f"{V1}/auth/me"),
    Route("GET", f"{V1}/sse"),
    person("GET", "/auth/sessions"),
    person("DELETE", "/auth/sessions/{session_id}", 204),
    person("PUT", "/auth/password", 422, {"current": "", "new": ""}),
    person("GET", "/keys"),
    person("POST", "/keys", 201, {"name": "Mine", "scopes": ["playground:read"]}),
    person("GET", "/keys/{key_id}"),
    person("DELETE", "/keys/{key_id}", 204),
    admin("GET", "/users"),
    admin("POST", "/users", 422, {}),
    admin("GET", "/users/{user_id}"),
    admin("PATCH", "/users/{user_id}", body=NAME),
    admin("GET", "/audit"),
    admin("GET", "/providers"),
    admin("PUT", "/providers/{name}", body={"api_key": "sk-1"}),
    admin("DELETE", "/providers/{name}", 204),
    *APP_ROUTES,
    *REQUEST_ROUTES,
    *WEBHOOK_ROUTES,
    *AGENT_ROUTES,
    Route("GET", f"{V1}/projects", scope=READING, lists="project_id"),
    Route("POST", f"{V1}/projects", 201, role=Role.editor, scope=Scope.playground_write, body=NAME),
    read(PROJECT),
    write("PATCH", PROJECT, body=NAME),
    read(f"{PROJECT}/members", lists="user_id"),
    write(
        "PUT",
        f"{PROJECT}/members",
        body={"email": "<email>", "role": "reviewer"},
        inside=Role.admin,
    ),
    # Everybody may leave by themselves, which is tested below.
    write("DELETE", f"{PROJECT}/members/{{user_id}}", 204, role=Role.viewer, inside=Role.admin),
    read(f"{PROJECT}/use-cases", lists="use_case_id"),
    write("POST", f"{PROJECT}/use-cases", 201, NAME),
    read(USE_CASE),
    write("PATCH", USE_CASE, body=NAME),
    read(f"{USE_CASE}/prompts", lists="prompt_id"),
    write("POST", f"{USE_CASE}/prompts", 201, NAME),
    read(f"{USE_CASE}/datasets", lists="dataset_id"),
    write("POST", f"{USE_CASE}/datasets", 201, NAME),
    read(PROMPT),
    write("PATCH", PROMPT, body=NAME),
    read(f"{PROMPT}/versions", lists="version_id"),
    write("POST", f"{PROMPT}/versions", 201, {"type": "text", "template_text": "Hello"}),
    read(f"{PROMPT}/versions/{{reference}}"),
    read(VERSION),
    Route(
        "POST",
        f"{V1}{VERSION}/render",
        scope=READING,
        inside=Role.viewer,
        body={"variables": {"message": "?"}},
    ),
    read(f"{PROMPT}/diff", query="from=1&to=2"),
    write("POST", f"{VERSION}/complete", body=COMPLETION),
    read(f"{PROMPT}/gates"),
    write("PUT", f"{PROMPT}/labels/{{label}}/gate", body=GATE, inside=Role.admin),
    write("DELETE", f"{PROMPT}/labels/{{label}}/gate", 204, inside=Role.admin),
    write("PUT", f"{PROMPT}/labels/{{label}}", body={"version_number": 1}),
    write("DELETE", f"{PROMPT}/labels/{{label}}", 204),
    write("DELETE", VERSION, 204, ids=UNUSED),
    read(DATASET),
    write("PATCH", DATASET, body=NAME),
    read(f"{DATASET}/items", lists="item_id"),
    write("POST", f"{DATASET}/items", 201, {"input": {"message": "?"}}),
    # The body is one line of JSON, so a file as well.
    replace(
        write("POST", f"{DATASET}/import", 201, {"input": {"message": "?"}}), query="format=jsonl"
    ),
    read(f"{DATASET}/export"),
    read(ITEM),
    write("PATCH", ITEM, body={"expected_output": "refund"}),
    Route("GET", f"{V1}/eval-runs", scope=READING, lists="run_id"),
    write("POST", "/eval-runs", 202, NEW_RUN),
    write("POST", "/eval-runs/estimate", 200, NEW_RUN),
    read("/eval-runs/compare", query=BOTH_RUNS),
    read("/eval-runs/compare/items", query=f"{BOTH_RUNS}&change=worse"),
    write("POST", f"{RUN}/rescore", 202, {}, ids=OTHER),
    # Nothing in it has failed.
    write("POST", f"{RUN}/rerun-failed", 409, {}, ids=ENDED),
    write("POST", f"{RUN}/share", 201, {"expires_in": 60}),
    write("DELETE", f"{RUN}/share", 204),
    read(RUN),
    read(f"{RUN}/results"),
    read(f"{RUN}/summary"),
    read(f"{RUN}/matrix"),
    read(f"{RUN}/export"),
    write("POST", f"{RUN}/cancel"),
    write("POST", f"{RUN}/resume", 202),
    write("DELETE", RUN, 204, ids=ENDED),
    write("POST", "/promptfoo/import", 201, {"project_id": "<project_id>", "configuration": SUITE}),
    write("DELETE", ITEM, 204),
    write("DELETE", PROMPT, 204),
    write("DELETE", DATASET, 204),
    write("DELETE", USE_CASE, 204),
    write("DELETE", PROJECT, 204, inside=Role.admin),
]
