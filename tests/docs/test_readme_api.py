"""The calls of the API that the README shows, made as it shows them."""

import asyncio
import re
import shlex
from pathlib import Path
from string import Template
from typing import Any

import httpx2

README = Path(__file__).parents[2] / "README.md"
HEADING = "## The API, from a project to a summary"
# A statement begins with a variable, a call or the helper function.
BOUNDARY = re.compile(r"\n+(?=[A-Z_]+=|curl |id_of)")
ASSIGNMENT = re.compile(r"([A-Z_]+)=(.*)", re.DOTALL)


def statements() -> list[str]:
    """What the shell blocks of the section do, one after the other."""
    _, found, rest = README.read_text().partition(f"\n{HEADING}\n")
    assert found, f"the README has no {HEADING}"
    shell = re.findall(r"^```sh\n(.*?)^```$", rest.split("\n## ")[0], re.MULTILINE | re.DOTALL)
    return BOUNDARY.split("\n".join(shell).strip())


async def call(client: httpx2.AsyncClient, command: str) -> Any:
    """What the server answers to a curl command."""
    program, silent, url, *rest = shlex.split(command)
    assert (program, silent) == ("curl", "-sS")
    given = dict(zip(rest[::2], rest[1::2], strict=True))
    headers = dict([given["-H"].split(": ")]) if "-H" in given else {}
    response = await client.request(
        "POST" if "-d" in given else "GET", url, headers=headers, content=given.get("-d")
    )
    assert response.is_success, f"{command}: {response.text}"
    return response.json()


async def perform(client: httpx2.AsyncClient, variables: dict[str, str], statement: str) -> None:
    """Do what a shell would do with a statement."""
    command = Template(statement).safe_substitute(variables)
    assignment = ASSIGNMENT.fullmatch(command)
    if assignment is None:
        if not command.startswith("id_of()"):
            await call(client, command)
    elif assignment[2].startswith("$("):
        inner = assignment[2].removeprefix("$(").removesuffix(" | id_of)")
        variables[assignment[1]] = (await call(client, inner))["id"]
    else:
        [variables[assignment[1]]] = shlex.split(assignment[2])


async def test_calls_lead_from_a_project_to_a_summary(
    client: httpx2.AsyncClient, worker: None
) -> None:
    variables: dict[str, str] = {}
    for statement in statements():
        await perform(client, variables, statement)
    run = f"/api/v1/eval-runs/{variables['RUN']}"
    async with asyncio.timeout(30):
        while (await client.get(run)).json()["status"] != "completed":
            await asyncio.sleep(0.05)
    summary = (await client.get(f"{run}/summary")).json()
    assert (summary["overall"]["cells"], summary["overall"]["passed"]) == (4, 3)
