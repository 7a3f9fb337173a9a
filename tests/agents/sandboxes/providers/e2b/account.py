"""What a stand-in for E2B has: the sandboxes of one account."""

import asyncio
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from tests.agents.sandboxes.providers.e2b.machine import Machine

KEY = "e2b_0123456789abcdef"


@dataclass
class Kept:
    """A sandbox that the stand-in has."""

    id: str
    machine: Machine
    asked: dict[str, Any]
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    paused: bool = False
    unresponsive: bool = False
    timeouts: list[int] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        return {
            "sandboxID": self.id,
            "templateID": self.asked["templateID"],
            "clientID": "stand-in",
            "envdVersion": "0.6.7",
            "envdAccessToken": self.token,
        }

    def listed(self) -> dict[str, Any]:
        now = datetime.now(UTC)
        return self.shown() | {
            "startedAt": now.isoformat(),
            "endAt": (now + timedelta(hours=1)).isoformat(),
            "cpuCount": 2,
            "memoryMB": 512,
            "diskSizeMB": 1024,
            "state": "paused" if self.paused else "running",
            "metadata": self.asked.get("metadata", {}),
        }


class E2B:
    """What a stand-in holds, and what can be done to it behind the back of its users."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.sandboxes: dict[str, Kept] = {}
        self.by_key: dict[str, Kept] = {}
        self.server: uvicorn.Server | None = None
        self.refusal: tuple[int, str] | None = None
        self.making = asyncio.Lock()

    async def make(self, asked: dict[str, Any], key: str | None) -> Kept:
        async with self.making:
            if key and (made := self.by_key.get(key)):
                return made
            return await self._make(asked, key)

    async def _make(self, asked: dict[str, Any], key: str | None) -> Kept:
        number = f"i{uuid.uuid4().hex[:19]}"
        made = Kept(number, Machine(self._folder / number), asked, timeouts=[asked["timeout"]])
        await made.machine.start()
        self.sandboxes[number] = made
        if key:
            self.by_key[key] = made
        return made

    async def vanish(self, number: str) -> None:
        """Let a sandbox be gone with all that runs in it."""
        gone = self.sandboxes.pop(number)
        self.by_key = {key: each for key, each in self.by_key.items() if each is not gone}
        await gone.machine.stop()

    def cut(self) -> None:
        """Break off all connections."""
        assert self.server is not None
        for connection in list(self.server.server_state.connections):
            connection.transport.abort()

    def of(self, headers: Any) -> Kept | None:
        """The running sandbox that a request to envd is for."""
        found = self.sandboxes.get(headers.get("e2b-sandbox-id") or "")
        if found is None or found.paused or headers.get("x-access-token") != found.token:
            return None
        return found
