"""Write the client for threads from the one for event loops, or with --check hold it to that.

A name such as AsyncClient or async_save stands for one that works with threads under the name
without that beginning; the rest is a matter of leaving out `async` and `await`.
"""

import re
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).parent.parent / "src/assay/client"
SOURCE, TARGET = CLIENT / "asynchronous", CLIENT / "synchronous"
RULES = [
    (re.compile(rf"\b{pattern}"), replacement)
    for pattern, replacement in (
        (r"async (?=def|with|for)", ""),
        (r"await ", ""),
        (r"Awaitable\[(\w+)\]", r"\1"),
        (r"asynccontextmanager\b", "contextmanager"),
        (r"asynchronous\b", "synchronous"),
        (r"__a(enter|exit)__", r"__\1__"),
        (r"a(close|read|iter_bytes)\b", r"\1"),
        (r"Async(?=[A-Z])", ""),
        (r"async_(?=[a-z])", ""),
        (r"programs with an event loop; the one for threads is made from it", "threads"),
    )
]
# Of modules that are not written yet nobody can tell otherwise whose they are.
OURS = 'lint.isort.known-first-party=["assay"]'
FIXED = 'lint.extend-safe-fixes=["UP028"]'
NOTE = "# Written by `make client` from {name}: change that.\n\n"


def synchronous(text: str, name: str) -> str:
    """The code for threads, in the project's format."""
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    text = NOTE.format(name=f"assay/client/asynchronous/{name}") + text
    mended = ["check", "--fix", "--exit-zero", "--quiet", "--config", OURS, "--config", FIXED]
    for command in (mended, ["format"]):
        ruff = [sys.executable, "-m", "ruff", *command, f"--stdin-filename={TARGET / name}", "-"]
        text = subprocess.run(ruff, input=text, text=True, capture_output=True, check=True).stdout  # noqa: S603  # our own tool
    return text


def main() -> int:
    """Give the exit code."""
    wanted = {path.name: synchronous(path.read_text(), path.name) for path in SOURCE.glob("*.py")}
    present = {path.name: path.read_text() for path in TARGET.glob("*.py")}
    if wanted == present:
        return 0
    if "--check" in sys.argv:
        sys.stderr.write("client/synchronous is not what the code says; run `make client`\n")
        return 1
    TARGET.mkdir(exist_ok=True)
    for name in present.keys() - wanted.keys():
        (TARGET / name).unlink()
    for name, text in wanted.items():
        (TARGET / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
