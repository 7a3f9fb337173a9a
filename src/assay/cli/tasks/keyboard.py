"""Lines that somebody types, waited for without holding up the event loop."""

import asyncio
import os
import sys
import termios

_LONGEST = 65536


class Keyboard:
    """The terminal at standard input; use it only where that is one."""

    def __init__(self) -> None:
        """Read standard input."""
        self._file = sys.stdin.fileno()
        self._typed = b""

    def forget(self) -> None:
        """Drop what was typed before: it was meant for something else."""
        self._typed = b""
        termios.tcflush(self._file, termios.TCIFLUSH)

    async def line(self) -> str | None:
        """The next line, without its end; `None` where nothing more will come (Ctrl-D)."""
        while b"\n" not in self._typed:
            more = await self._more()
            if not more:
                self._typed = b""
                return None
            self._typed += more
        line, _, self._typed = self._typed.partition(b"\n")
        return line.decode("utf-8", "replace").strip()

    async def _more(self) -> bytes:
        loop = asyncio.get_running_loop()
        came = loop.create_future()

        def read() -> None:
            if not came.done():
                came.set_result(os.read(self._file, _LONGEST))

        loop.add_reader(self._file, read)
        try:
            return bytes(await came)
        finally:
            loop.remove_reader(self._file)
