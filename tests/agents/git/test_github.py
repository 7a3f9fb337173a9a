"""Pull requests at a stand-in of GitHub on loopback."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from assay.agents.git.errors import PullRequestFailed, RemoteUnreachable, SignInRefused
from assay.agents.git.github import GitHubPullRequests
from assay.agents.git.pull_requests import AnyHost
from assay.agents.git.remotes import Remote
from assay.core.config import Settings

TOKEN = "ghp_0123456789secret"
REMOTE = Remote("https://github.com/octo/app.git")
BRANCH = "assay/1-fix"


@dataclass
class StandIn:
    """Keeps pull requests; `answer` is given in place of its own, `hidden` lists are empty."""

    port: int = 0
    pulls: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    answer: web.Response | None = None
    hidden: int = 0

    def settings(self, token: str | None = TOKEN) -> Settings:
        return Settings(
            github_token=SecretStr(token) if token else None,
            github_api_url=f"http://127.0.0.1:{self.port}/api/v3/",
            _env_file=None,
        )

    async def serve(self, request: web.Request) -> web.Response:
        self.asked.append(request.method)
        if self.answer:
            return self.answer
        if request.headers["Authorization"].split() != ["token", TOKEN]:
            return said(401, "Bad credentials")
        assert request.path == "/api/v3/repos/octo/app/pulls"
        if request.method == "GET":
            wanted = {name: request.query[name] for name in ("head", "base", "state")}
            listed = (
                [] if self.hidden else [it for it in self.pulls if wanted.items() <= it.items()]
            )
            self.hidden = max(0, self.hidden - 1)
            return web.json_response(listed)
        new = await request.json()
        head = f"octo:{new['head']}"
        if any(it["head"] == head and it["state"] == "open" for it in self.pulls):
            errors = [{"message": f"A pull request already exists for {head}.", "code": "custom"}]
            return said(422, "Validation Failed", errors=errors)
        page = f"https://github.com/octo/app/pull/{len(self.pulls) + 1}"
        self.pulls.append({**new, "head": head, "state": "open", "html_url": page})
        return web.json_response(self.pulls[-1], status=201)


def said(status: int, message: str, **more: Any) -> web.Response:
    body = json.dumps({"message": message, **more})
    return web.Response(status=status, text=body, content_type="application/json")


@pytest.fixture
async def github() -> AsyncIterator[StandIn]:
    there = StandIn()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", there.serve)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    there.port = runner.addresses[0][1]
    yield there
    await runner.cleanup()


async def ensure(github: StandIn, token: str | None = TOKEN) -> str | None:
    hosts = AnyHost([GitHubPullRequests(github.settings(token))])
    return await hosts.ensure(REMOTE, BRANCH, "main", "Fix it", "Because.")


async def test_opened_once(github: StandIn) -> None:
    first = await ensure(github)
    assert first == "https://github.com/octo/app/pull/1"
    assert await ensure(github) == first
    (pull,) = github.pulls
    assert (pull["title"], pull["body"], pull["base"]) == ("Fix it", "Because.", "main")
    assert github.asked == ["GET", "POST", "GET"]


async def test_somebody_was_faster(github: StandIn) -> None:
    first = await ensure(github)
    github.hidden = 1
    assert await ensure(github) == first


async def test_closed_ones_do_not_count(github: StandIn) -> None:
    await ensure(github)
    github.pulls[0]["state"] = "closed"
    assert await ensure(github) == "https://github.com/octo/app/pull/2"


async def test_long_texts_are_cut(github: StandIn) -> None:
    hosts = AnyHost([GitHubPullRequests(github.settings())])
    await hosts.ensure(REMOTE, BRANCH, "main", "t" * 1000, "b" * 100_000)
    assert len(github.pulls[0]["title"]) == 250
    assert len(github.pulls[0]["body"]) == 60_000


async def test_a_title_is_one_line(github: StandIn) -> None:
    hosts = AnyHost([GitHubPullRequests(github.settings())])
    await hosts.ensure(REMOTE, BRANCH, "main", " Fix\r\n\x1b[31m it\n\n@all ", "b")
    assert github.pulls[0]["title"] == "Fix \ufffd[31m it @all"
    await hosts.ensure(REMOTE, "other", "main", "\n \t", "b")
    assert github.pulls[1]["title"] == "other"


@pytest.mark.parametrize(
    "url", ["https://git.example.com/octo/app", "file:///srv/octo/app", "https://github.com/a/b/c"]
)
async def test_others_have_none(github: StandIn, url: str) -> None:
    hosts = AnyHost([GitHubPullRequests(github.settings())])
    assert await hosts.ensure(Remote(url), BRANCH, "main", "Fix it", "") is None
    assert github.asked == []


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (said(401, "Bad credentials"), SignInRefused, "does not know the token.*Bad credentials"),
        (said(403, "Resource not accessible"), SignInRefused, "write access.*pull requests"),
        (said(404, "Not Found"), SignInRefused, "shows no repository"),
        (
            said(422, "No commits between", errors=[{"message": "none"}]),
            PullRequestFailed,
            "No com",
        ),
        (said(500, "Oops"), RemoteUnreachable, "fault of its own, 500"),
        (said(301, "Moved"), PullRequestFailed, "301"),
        (web.Response(text="<html>"), RemoteUnreachable, "GITHUB_API_URL"),
        (web.json_response([{"x": 1}]), RemoteUnreachable, "GITHUB_API_URL"),
        (web.json_response([{"html_url": "javascript:x"}]), RemoteUnreachable, "GITHUB_API_URL"),
    ],
)
async def test_clear_errors(
    github: StandIn, answer: web.Response, kind: type[Exception], says: str
) -> None:
    github.answer = answer
    with pytest.raises(kind, match=says) as caught:
        await ensure(github)
    assert TOKEN not in str(caught.value)


async def test_wrong_token(github: StandIn) -> None:
    with pytest.raises(SignInRefused) as caught:
        await ensure(github, "ghp_wrong")
    assert "ghp_wrong" not in str(caught.value)


async def test_no_token(github: StandIn) -> None:
    with pytest.raises(SignInRefused, match="sets GITHUB_TOKEN"):
        await ensure(github, None)
    assert github.asked == []


async def test_rate_limit(github: StandIn) -> None:
    github.answer = said(403, "API rate limit exceeded")
    limits = {"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}
    github.answer.headers.update(limits)
    with pytest.raises(PullRequestFailed, match="no more requests"):
        await ensure(github)


async def test_nobody_listens() -> None:
    with pytest.raises(RemoteUnreachable, match="does not answer"):
        await ensure(StandIn(port=1))


def test_api_of_an_enterprise() -> None:
    settings = Settings(github_url="https://ghe.example.com/", _env_file=None)
    github = GitHubPullRequests(settings)
    assert github.serves(Remote("https://ghe.example.com/octo/app"))
    assert not github.serves(REMOTE)
