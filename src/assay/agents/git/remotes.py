"""Which repositories Assay works with, and how it signs in to them.

A remote is an `https` address on the internet, or, where the operator opens it, one in a network
inside (there by `http` too) or a repository on this machine. Tokens go to git by its environment,
as a header for the one host that they are for.
"""

import asyncio
import base64
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Self
from urllib.request import getproxies, proxy_bypass

from pydantic import SecretStr
from yarl import URL

from assay.agents.git.errors import RemoteRefused, RemoteUnreachable
from assay.core.config import Settings
from assay.core.outbound import (
    LONGEST_URL,
    NOT_IN_URLS,
    Network,
    holds_user,
    host_fault,
    is_open,
    parse_networks,
)

LOOK_UP_SECONDS = 10.0
_SCP = re.compile(r"(?:ssh://)?(?:[\w.-]+@)?(?P<host>[\w.-]+)(?::\d+/|[:/]/?)(?P<path>[^:/].*)")
_USER_INFO = re.compile(r"(?<=://)[^/@\s]*@")
_TOKEN_USER = "x-access-token"  # noqa: S105  # a name that GitHub takes, and others ignore


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository elsewhere: its address, which never holds a user or a password."""

    url: str

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine's disk."""
        return self.url.startswith("file://")


@dataclass(frozen=True, slots=True)
class Access:
    """What git is told to reach a remote, and what must not be seen of that."""

    settings: Sequence[tuple[str, str]]
    secrets: Sequence[str] = field(default=(), repr=False)

    def redact(self, text: str) -> str:
        """`text` without secrets, and without users and passwords in addresses."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return _USER_INFO.sub("", text)


@dataclass(frozen=True, slots=True)
class Remotes:
    """What the operator lets Assay reach.

    Attributes:
        tokens: by host, with the port where it is not the usual one: a token, or `user:token`.
        folders: where repositories on this machine may be.
        networks: opened beside the internet.
        home: Assay's own folder, in which nothing is a remote: sandboxes write there.
    """

    tokens: Mapping[str, SecretStr] = field(default_factory=dict)
    folders: Sequence[Path] = ()
    networks: Sequence[Network] = ()
    home: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As `settings` say."""
        networks = parse_networks(settings.git_allowed_networks)
        home = settings.assay_home
        return cls(_tokens(settings), settings.git_local_remotes, networks, home)

    def parse(self, text: str, *, place: str = "repo_url", is_owner: bool = False) -> Remote:
        """The remote at this address, if its form lets Assay work with it; names are not resolved.

        Args:
            text: `https://host/path`, `file:///path` or an absolute path.
            place: the field that it came in, for the error.
            is_owner: whether who asks has this machine, as in the local mode: then every
                repository on it may be named, not only those in `folders`.

        Raises:
            RemoteRefused: saying what is wrong with it, and what would be right.
        """
        if len(text) > LONGEST_URL or NOT_IN_URLS.search(text):
            raise RemoteRefused(
                f"An address has up to {LONGEST_URL:,} characters, and no spaces, backslashes or "
                "control characters.",
                place=place,
            )
        if text.startswith(("/", "file://")):
            return self._local(text.removeprefix("file://"), place, is_owner=is_owner)
        if text.startswith(("https://", "http://")):
            return self._web(text, place)
        raise RemoteRefused(_advice(text), place=place)

    def _web(self, text: str, place: str) -> Remote:
        if holds_user(text):
            raise RemoteRefused(
                "The address must not hold a user or a password: the operator sets GITHUB_TOKEN or "
                "GIT_TOKENS.",
                place=place,
            )
        try:
            url = URL(text)
        except ValueError as error:
            raise RemoteRefused(f"This is no URL: {error}.", place=place) from None
        if not url.raw_host or not url.path.strip("/") or url.query_string or url.fragment:
            raise RemoteRefused(
                "Takes the address of a repository, such as https://github.com/owner/name.",
                place=place,
            )
        if fault := host_fault(url.raw_host, self.networks):
            raise RemoteRefused(_opened_by(fault), place=place)
        return Remote(str(url).rstrip("/"))

    def _local(self, path: str, place: str, *, is_owner: bool) -> Remote:
        folder = Path(path)
        if not folder.is_absolute() or ".." in folder.parts:
            raise RemoteRefused("Takes an absolute path without '..'.", place=place)
        # Links are followed, so that none leads out of what is opened.
        real = folder.resolve()
        if not is_owner and not any(real.is_relative_to(it.resolve()) for it in self.folders):
            raise RemoteRefused(
                "Repositories on the server's disk are opened by its operator, who lists their "
                "folders in GIT_LOCAL_REMOTES. Takes https://host/owner/name.",
                place=place,
            )
        if self.home is not None and real.is_relative_to(self.home.resolve()):
            raise RemoteRefused(
                "This is in Assay's own folder (ASSAY_HOME), where no repositories are taken from.",
                place=place,
            )
        return Remote(f"file://{real}")

    async def access(self, remote: Remote) -> Access:
        """What git has to be told to reach a remote, once its host was looked up.

        Raises:
            RemoteRefused: the host is inside the network, or the connection is not encrypted.
            RemoteUnreachable: the name of the host is not known.
        """
        if remote.is_local:
            return Access([("protocol.file.allow", "always")])
        url = URL(remote.url)
        settings = [(f"protocol.{url.scheme}.allow", "always"), *await self._pinned(url)]
        token = self.tokens.get(_host(url))
        if token is None:
            return Access(settings)
        user, colon, secret = token.get_secret_value().partition(":")
        user, secret = (user, secret) if colon else (_TOKEN_USER, user)
        encoded = base64.b64encode(f"{user}:{secret}".encode()).decode()
        header = f"http.{url.origin()}/.extraHeader", f"Authorization: Basic {encoded}"
        return Access([*settings, header], (secret, encoded))

    async def _pinned(self, url: URL) -> Sequence[tuple[str, str]]:
        """Binds git to the addresses that were checked, so that a second look-up finds no others.

        Behind a proxy it is the proxy that looks up, and that decides what may be reached.
        """
        assert url.raw_host
        if url.scheme in getproxies() and not proxy_bypass(url.raw_host):
            return []
        addresses = await _look_up(url.raw_host, url.port or 0)
        for address in addresses:
            if not is_open(ip_address(address), self.networks):
                raise RemoteRefused(_opened_by(f"{url.host} is inside the network ({address})."))
            inside = any(ip_address(address) in network for network in self.networks)
            if url.scheme == "http" and not inside:
                raise RemoteRefused(f"Over the internet it takes https://, not {url}.")
        if ":" in url.raw_host:
            return []
        listed = ",".join(f"[{it}]" if ":" in it else it for it in addresses)
        return [("http.curloptResolve", f"{url.raw_host}:{url.port}:{listed}")]


def _host(url: URL) -> str:
    """The host, with its port where it is not the usual one."""
    return url.raw_authority if not url.is_default_port() else f"{url.host_subcomponent}"


def _tokens(settings: Settings) -> dict[str, SecretStr]:
    tokens = {}
    for entry in settings.git_tokens.get_secret_value().split(",") if settings.git_tokens else ():
        host, _, token = entry.strip().partition("=")
        tokens[host.lower()] = SecretStr(token)
    if settings.github_token:
        tokens[_host(URL(settings.github_url))] = settings.github_token
    return tokens


def _opened_by(fault: str) -> str:
    fault = fault.split(" If Assay is to send there", 1)[0]
    return f"{fault} The operator opens networks to git with GIT_ALLOWED_NETWORKS."


def _advice(text: str) -> str:
    found = _SCP.fullmatch(text) if "::" not in text else None
    # Behind a second @ or in front of it may be a password, which is not said again.
    if found and "@" not in found["path"] and not text.startswith("-"):
        path = found["path"].removesuffix(".git")
        return (
            f"Assay does not speak ssh: takes https://{found['host']}/{path}, and a token of the "
            "operator (GITHUB_TOKEN, GIT_TOKENS)."
        )
    return "Takes the address of a repository, such as https://github.com/owner/name."


async def _look_up(host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LOOK_UP_SECONDS):
            infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError) as error:
        reason = error.strerror if error.strerror else "no answer"
        raise RemoteUnreachable(
            f"The host {host} cannot be found ({reason}). Check the address, and that this "
            "machine has a network."
        ) from None
    return list(dict.fromkeys(str(info[4][0]) for info in infos))
