"""Hold Assay's grading against promptfoo's, case by case, and the speed of both.

Both evaluate the same suite (benchmarks/promptfoo) as commands, against the same scripted model on
loopback. Ends with exit code 1 where a case differs that should not.

    make bench-promptfoo
    make bench-promptfoo ARGS="--cells 2000 --in-flight 32"
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from assay.testing.script import ChatRequest
from assay.testing.scripted_model import ScriptedModelServer
from processes import temporary_home
from promptfoo_suite import Case, Suite, read_cases, read_differences
from promptfoo_tools import Outcome, Promptfoo, Run, record_found, run_assay

LATENCY = 0.02
CLOSE = 1e-6
ROUNDS = 3
_IN_FLIGHT_TO_AGREE = 4

Evaluate = Callable[[Suite, str], Awaitable[Run]]
console = Console()


class Clock:
    """When a suite's model was asked first and last."""

    def __init__(self, suite: Suite) -> None:
        """Take the suite whose answers are timed."""
        self._suite = suite
        self.first = self.last = 0.0

    def answer(self, request: ChatRequest) -> str:
        """The answer; it is given after the model's latency."""
        self.last = time.perf_counter()
        self.first = self.first or self.last - LATENCY
        return self._suite.answer(request)

    @property
    def seconds(self) -> float:
        """From the first request to the last answer."""
        return self.last - self.first


async def main() -> int:
    """Compare and print; gives the exit code."""
    arguments = _arguments()
    promptfoo = Promptfoo()
    with TemporaryDirectory(prefix="assay-bench-") as place, temporary_home() as home:
        folder = Path(place)

        def tools(in_flight: int) -> Mapping[str, Evaluate]:
            return {
                "assay eval": lambda suite, url: run_assay(suite, folder, url, in_flight, home),
                "promptfoo eval": lambda suite, url: promptfoo.run(suite, folder, url, in_flight),
            }

        console.print(f"promptfoo {promptfoo.version}\n")
        agreed = await _agreement(tools(_IN_FLIGHT_TO_AGREE), record=arguments.record)
        if not arguments.no_speed:
            await _speed(tools(arguments.in_flight), arguments.cells, arguments.in_flight)
    return 0 if agreed else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--cells", type=int, default=500, help="of the suite for the speed")
    parser.add_argument("--in-flight", type=int, default=16, help="requests at once, in both")
    parser.add_argument("--no-speed", action="store_true", help="look at the agreement only")
    parser.add_argument(
        "--record", action="store_true", help="keep what promptfoo found, for the tests"
    )
    return parser.parse_args()


async def _agreement(tools: Mapping[str, Evaluate], *, record: bool) -> bool:
    cases, differences = Suite(read_cases()), Suite(read_differences())
    assay, promptfoo = [await _evaluate(cases, tool) for tool in tools.values()]
    if record:
        record_found(cases, promptfoo)
    pairs = [
        (case, assay.outcomes[number], promptfoo.outcomes[number])
        for number, case in enumerate(cases.cases)
    ]
    wrong = [pair for pair in pairs if not _agree(*pair[1:])]
    named = [pair for pair in pairs if pair[2].metrics or pair[1].metrics]
    other = [pair for pair in named if not _same_metrics(*pair[1:])]
    console.print(_agreement_table(pairs, named, other))
    for case, ours, theirs in [*wrong, *other]:
        console.print(f"[red]{case.name}[/]\n  assay     {ours}\n  promptfoo {theirs}")
    assay, promptfoo = [await _evaluate(differences, tool) for tool in tools.values()]
    unexpected = [
        case
        for number, case in enumerate(differences.cases)
        if not _as_said(case, assay.outcomes[number], promptfoo.outcomes[number])
    ]
    console.print(_differences_table(differences))
    for case in unexpected:
        number = list(differences.cases).index(case)
        console.print(
            f"[red]{case.name}: not as differences.yaml has it[/]\n"
            f"  assay     {assay.outcomes[number]}\n  promptfoo {promptfoo.outcomes[number]}"
        )
    return not (wrong or other or unexpected)


async def _evaluate(suite: Suite, tool: Evaluate) -> Run:
    async with ScriptedModelServer(
        latency=LATENCY, answer=suite.answer, logprobs=suite.logprobs
    ) as server:
        return await tool(suite, server.base_url)


async def _speed(tools: Mapping[str, Evaluate], cells: int, in_flight: int) -> None:
    """Both in turn, several times: a busy machine slows both."""
    known = [case for case in read_cases() if "cost" not in case.name]
    suite = Suite([known[number % len(known)] for number in range(cells)])
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in tools}
    most: dict[str, int] = dict.fromkeys(tools, 0)
    for _ in range(ROUNDS):
        for name, tool in tools.items():
            clock = Clock(suite)
            async with ScriptedModelServer(
                latency=LATENCY, answer=clock.answer, logprobs=suite.logprobs
            ) as server:
                run = await tool(suite, server.base_url)
            seconds[name].append((clock.seconds, run.seconds))
            most[name] = max(most[name], server.counters.most_in_flight)
    table = Table(title=f"{cells:,} cells, {LATENCY * 1000:.0f} ms each, {in_flight} in flight")
    for heading in ("", "cells/s", "of the possible", "most in flight", "whole command, s"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, rounds in seconds.items():
        rate = cells / statistics.median(asking for asking, _ in rounds)
        share = rate / (in_flight / LATENCY)
        whole = statistics.median(whole for _, whole in rounds)
        table.add_row(name, f"{rate:,.0f}", f"{share:.0%}", str(most[name]), f"{whole:.1f}")
    console.print(table)


def _agree(one: Outcome, other: Outcome) -> bool:
    graded = one.error is None and other.error is None
    return graded and one.passed == other.passed and abs(one.score - other.score) <= CLOSE


def _same_metrics(one: Outcome, other: Outcome) -> bool:
    return one.metrics.keys() == other.metrics.keys() and all(
        abs(score - other.metrics[name]) <= CLOSE for name, score in one.metrics.items()
    )


def _as_said(case: Case, assay: Outcome, promptfoo: Outcome) -> bool:
    said = case.differs or {}
    return all(
        found.passed == said[tool]["passed"] and abs(found.score - said[tool]["score"]) <= CLOSE
        for tool, found in (("assay", assay), ("promptfoo", promptfoo))
    )


def _agreement_table(
    pairs: list[tuple[Case, Outcome, Outcome]],
    named: list[tuple[Case, Outcome, Outcome]],
    other: list[tuple[Case, Outcome, Outcome]],
) -> Table:
    table = Table(title="Agreement")
    for heading in ("", "cases", "agree"):
        table.add_column(heading, justify="right" if heading else "left")
    passed = sum(ours.passed == theirs.passed for _, ours, theirs in pairs)
    close = sum(abs(ours.score - theirs.score) <= CLOSE for _, ours, theirs in pairs)
    both = sum(_agree(ours, theirs) for _, ours, theirs in pairs)
    rows = [("passed or failed", passed), ("score", close), ("both", both)]
    for name, count in rows:
        table.add_row(name, str(len(pairs)), str(count))
    table.add_row("metrics", str(len(named)), str(len(named) - len(other)))
    return table


def _differences_table(differences: Suite) -> Table:
    table = Table(title="Differs on purpose")
    table.add_column("case")
    table.add_column("reason")
    for case in differences.cases:
        table.add_row(str(case.test["description"]), str((case.differs or {}).get("reason", "")))
    return table


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
