"""Pull requests on GitHub, and on GitHub Enterprise."""

import http
from collections.abc import Mapping
from typing import Any, NoReturn

import aiohttp
import gidgethub
from gidgethub.aiohttp import GitHubAPI
from yarl import URL

from assay import __version__
from assay.agents.git.errors import GitFailed, PullRequestFailed, RemoteUnreachable, SignInRefused
from assay.agents.git.remotes import Remote
from assay.core.config import Settings
from assay.core.outbound_http import clean

TOTAL_SECONDS = 30.0
_GITHUB = "https://github.com"
_PULLS = "/repos/{owner}/{name}/pulls"
_LISTED = _PULLS + "{?head,state,base}"


class GitHubPullRequests:
    """Opens pull requests by GitHub's REST API, one connection for each call."""

    def __init__(self, settings: Settings) -> None:
        """Take where people see repositories, where the API is, and the token."""
        url = settings.github_url
        of_own = f"{url}/api/v3" if url != _GITHUB else "https://api.github.com"
        self._url = f"{url}/"
        self._api_url = settings.github_api_url or of_own
        self._token = settings.github_token

    def serves(self, remote: Remote) -> bool:
        """Whether this is `<url>/<owner>/<name>`."""
        path = remote.url.removeprefix(self._url)
        return path != remote.url and path.count("/") == 1

    async def ensure(self, remote: Remote, branch: str, base: str, title: str, body: str) -> str:
        """As in `PullRequests`."""
        if self._token is None:
            raise SignInRefused(
                f"A pull request for {remote.url} needs a token: the operator sets GITHUB_TOKEN."
            )
        owner, name = remote.url.removeprefix(self._url).removesuffix(".git").split("/")
        at = {"owner": owner, "name": name}
        timeout = aiohttp.ClientTimeout(total=TOTAL_SECONDS)
        try:
            async with aiohttp.ClientSession(timeout=timeout, trust_env=True) as session:
                github = GitHubAPI(
                    session,
                    f"Assay/{__version__}",
                    oauth_token=self._token.get_secret_value(),
                    base_url=self._api_url,
                )
                if found := await _find(github, at, branch, base):
                    return found
                new = {"title": title, "body": body, "head": branch, "base": base}
                return await _open(github, at, new)
        except gidgethub.GitHubException as error:
            self._explain(remote, error)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise RemoteUnreachable(
                f"GitHub's API at {self._api_url} does not answer: "
                f"{clean(str(error) or type(error).__name__, 300)}"
            ) from None
        except (ValueError, KeyError, TypeError):
            raise RemoteUnreachable(
                f"What answers at {self._api_url} is not GitHub's API: check GITHUB_API_URL."
            ) from None

    def _explain(self, remote: Remote, error: gidgethub.GitHubException) -> NoReturn:
        said = clean(str(error), 500)
        if isinstance(error, gidgethub.RateLimitExceeded):
            raise PullRequestFailed(f"GitHub takes no more requests for now: {said}.") from None
        status = error.status_code if isinstance(error, gidgethub.HTTPException) else 0
        raise _fault(status, remote, said) from None


async def _find(github: GitHubAPI, at: Mapping[str, str], branch: str, base: str) -> str | None:
    query = {**at, "head": f"{at['owner']}:{branch}", "state": "open", "base": base}
    found = await github.getitem(_LISTED, query)
    return _url_of(found[0]) if found else None


async def _open(github: GitHubAPI, at: Mapping[str, str], new: dict[str, str]) -> str:
    try:
        return _url_of(await github.post(_PULLS, at, data=new))
    except (gidgethub.InvalidField, gidgethub.ValidationError):
        # Somebody, or an earlier attempt of ours, may have been faster.
        if found := await _find(github, at, new["head"], new["base"]):
            return found
        raise


def _url_of(pull_request: Any) -> str:
    url = URL(pull_request["html_url"])
    if url.scheme not in ("http", "https"):
        raise ValueError("no address of a page")
    return str(url)


def _fault(status: int, remote: Remote, said: str) -> GitFailed:
    match status:
        case http.HTTPStatus.UNAUTHORIZED:
            return SignInRefused(
                f"GitHub does not know the token in GITHUB_TOKEN ({said}): it is wrong or has "
                "expired."
            )
        case http.HTTPStatus.FORBIDDEN:
            return SignInRefused(
                f"GITHUB_TOKEN may not open pull requests in {remote.url} ({said}): give it write "
                "access to pull requests and contents."
            )
        case http.HTTPStatus.NOT_FOUND:
            return SignInRefused(
                f"GitHub shows no repository {remote.url} to GITHUB_TOKEN ({said}): check the "
                "address, and that the token is for this repository."
            )
        case http.HTTPStatus.UNPROCESSABLE_ENTITY:
            return PullRequestFailed(f"GitHub does not open the pull request: {said}.")
        case _ if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            return RemoteUnreachable(f"GitHub has a fault of its own, {status}: {said}.")
        case _:
            return PullRequestFailed(f"GitHub answered {status or 'unclearly'}: {said}.")
