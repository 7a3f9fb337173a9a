"""The scripts that E2B's shell is given; the SDK runs everything by `bash -l -c`."""

import shlex

from assay.agents.sandboxes.providers.types import Command

MARK = "ASSAY_COMMAND"
"""The variable that a command and all that it starts are known by."""


def running(command: Command, stdin: str | None) -> str:
    """Runs a command with one stream for all output; `stdin` is a file, removed once it is open."""
    source = shlex.quote(stdin or "/dev/null")
    lines = [
        f"exec 2>&1 <{source}",
        f"rm -f -- {source}" if stdin else "",
        f"cd -- {shlex.quote(command.cwd)} || exit 126",
        # A shell stays around it: it says 128 and the number of a signal where E2B says -1.
        f"(exec -- {shlex.join(command.arguments)})",
        "exit $?",
    ]
    return "\n".join(filter(None, lines))


def killing(mark: str | None) -> str:
    """Kills all that carries a mark, or any, also what has left its process group.

    It looks until it has found nothing twice: a command whose caller gave up may be just starting.
    """
    pattern = f"^{MARK}=" if mark is None else f"^{MARK}={mark}$"
    return f"""\
clear=
for _ in 1 2 3 4 5 6 7 8 9; do
  found=$(grep -lzs {shlex.quote(pattern)} /proc/[0-9]*/environ | cut -d/ -f3)
  [ -n "$found$clear" ] || {{ clear=1; sleep 0.2; continue; }}
  [ -n "$found" ] || exit 0
  clear=
  kill -KILL $found 2>/dev/null
  sleep 0.05
done
exit 1"""


def making(folder: str) -> str:
    """Makes a folder that belongs to the user; where that cannot be, says who it has to be for."""
    quoted = shlex.quote(folder)
    return f'mkdir -p {quoted} 2>/dev/null; [ -O {quoted} ] || echo "$(id -u):$(id -g)"'
