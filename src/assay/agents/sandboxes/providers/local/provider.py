"""Makes, finds and destroys the sandboxes on this machine."""

import asyncio
import contextlib
import os
import platform
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from assay.agents.sandboxes.providers.local import seccomp
from assay.agents.sandboxes.providers.local.bubblewrap import make_folders, programs
from assay.agents.sandboxes.providers.local.leftovers import kill_within
from assay.agents.sandboxes.providers.local.process import MENDS
from assay.agents.sandboxes.providers.local.proxy import Ports, Proxy
from assay.agents.sandboxes.providers.local.sandbox import LocalSandbox
from assay.agents.sandboxes.providers.types import (
    Command,
    SandboxGone,
    SandboxLimits,
    SandboxUnusable,
)
from assay.core.errors import Invalid
from assay.core.outbound import Network

NAME = "local"
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}")
_GOING = ".going."
_CHECK = "check"
_TRIES = 20


class LocalProvider:
    """Sandboxes that are folders under the server's home; bubblewrap runs each command.

    The id of a sandbox is its label. All processes with the same home see the same sandboxes.
    """

    name = NAME

    def __init__(
        self, home: Path, *, networks: Sequence[Network] = (), ports: Ports = (80, 443)
    ) -> None:
        """Keep sandboxes in `home`.

        Args:
            home: the server's folder, ASSAY_HOME.
            networks: those beside the internet that a host's name may lead to.
            ports: those that may be reached; of a host that is allowed.
        """
        self.folder = home.resolve() / "sandboxes"
        self._networks = networks
        self._ports = ports

    async def check(self) -> None:
        """Make sure that sandboxes can be made here, by making one and running a command in it.

        Raises:
            SandboxUnusable: with what mends it.
        """
        if sys.platform != "linux" or platform.machine() not in seccomp.MACHINES:
            raise SandboxUnusable(
                f"Sandboxes on this machine need Linux on {' or '.join(seccomp.MACHINES)}, and "
                f"this is {sys.platform} on {platform.machine()}: use E2B's instead (E2B_API_KEY)."
            )
        programs()
        label = f"{_CHECK}-{os.getpid()}-{os.urandom(4).hex()}"
        sandbox = await self.create(label, SandboxLimits(processes=32))
        try:
            ran = await sandbox.run(Command(("true",), seconds=20.0))
        finally:
            await self.destroy(label)
        if ran.exit_code != 0:
            said = ran.output.decode(errors="replace").strip() or f"exit code {ran.exit_code}"
            raise SandboxUnusable(f"bubblewrap cannot run a command ({said}). {MENDS}")

    async def create(self, label: str, limits: SandboxLimits) -> LocalSandbox:
        """A new sandbox, or the one that has this label; see `SandboxProvider`."""
        programs()
        folder = self._place(label)
        new = await asyncio.to_thread(self._make, folder)
        return self._sandbox(label, limits, new=new)

    async def open(self, sandbox_id: str, limits: SandboxLimits) -> LocalSandbox:
        """A sandbox that was made before; see `SandboxProvider`."""
        if not await asyncio.to_thread((self._place(sandbox_id) / "work").is_dir):
            raise SandboxGone(f"The sandbox {sandbox_id} is not on this machine.")
        return self._sandbox(sandbox_id, limits)

    async def pause(self, sandbox_id: str) -> None:
        """Nothing to do: between two commands a sandbox is only files."""
        self._place(sandbox_id)

    async def destroy(self, sandbox_id: str) -> None:
        """Destroy a sandbox; commands that run in it, of any server, end with it."""
        folder = self._place(sandbox_id)
        going = self.folder / f"{_GOING}{sandbox_id}"
        await self._remove(sandbox_id, going)
        if await asyncio.to_thread(_moved, folder, going):
            await self._remove(sandbox_id, going)

    async def labels(self) -> Mapping[str, str]:
        """The sandboxes that are there, also those whose removal did not come to its end."""
        names = await asyncio.to_thread(self._names)
        found = {name.removeprefix(_GOING) for name in names}
        return {label: label for label in sorted(found) if _LABEL.fullmatch(label)}

    async def close(self) -> None:
        """Nothing is held."""

    async def _remove(self, sandbox_id: str, going: Path) -> None:
        for _ in range(_TRIES):
            if not await asyncio.to_thread(going.exists):
                return
            # What still runs in it would write meanwhile, and may have nobody who ends it.
            await asyncio.to_thread(kill_within, going)
            sandbox = LocalSandbox(sandbox_id, going, SandboxLimits(), None)
            if await asyncio.to_thread((going / "work").is_dir):
                # Without bubblewrap what is not hidden can be removed all the same.
                with contextlib.suppress(SandboxGone, SandboxUnusable):
                    await sandbox.empty()
            await asyncio.to_thread(shutil.rmtree, going, True)
            await asyncio.sleep(0.05)
        raise SandboxUnusable(f"The sandbox {sandbox_id} cannot be removed: look into {going}.")

    def _make(self, folder: Path) -> bool:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        new = not folder.exists()
        make_folders(folder)
        return new

    def _names(self) -> list[str]:
        return [path.name for path in self.folder.iterdir()] if self.folder.is_dir() else []

    def _place(self, label: str) -> Path:
        if not _LABEL.fullmatch(label):
            raise Invalid(
                f"{label!r} is no label of a sandbox: "
                "it takes letters, digits and dashes, 100 at most."
            )
        return self.folder / label

    def _sandbox(self, label: str, limits: SandboxLimits, *, new: bool = False) -> LocalSandbox:
        proxy = None
        if limits.network:
            proxy = Proxy(limits.network, networks=self._networks, ports=self._ports)
        return LocalSandbox(label, self.folder / label, limits, proxy, new=new)


def _moved(folder: Path, going: Path) -> bool:
    try:
        folder.rename(going)
    except FileNotFoundError:
        return False
    return True
