"""Begin a task as the command line says it."""

import sys
from dataclasses import dataclass
from pathlib import Path

from assay.agents.agents.models import Agent
from assay.agents.tasks.models import Task
from assay.agents.tasks.schemas import TaskStart
from assay.agents.tasks.starting import start_task
from assay.agents.tasks.workshop import Workshop
from assay.cli.options import checked
from assay.cli.tasks.agents import AgentOptions, choose_agent
from assay.core.database import Database
from assay.core.errors import SetupError
from assay.identity.actor import LOCAL_ACTOR
from assay.identity.sight import Sight
from assay.wiring import projects_of

SIGHT = Sight(LOCAL_ACTOR, None, projects_of)
"""What whoever has this machine sees: everything."""

STDIN = Path("-")


@dataclass(frozen=True, slots=True)
class Begun:
    """A task that was begun, and who does it."""

    task: Task
    agent: Agent


def new_task(
    repo: str, title: str, description: str | None, description_file: Path | None, base: str | None
) -> TaskStart:
    """What is to be done, checked as far as that goes without a database.

    Raises:
        SetupError: the repository or the file is not there, or there are two descriptions.
        Invalid: an option has a value that it does not take.
    """
    if description_file is not None:
        if description is not None:
            raise SetupError("Give either --description or --description-file, not both.")
        description = _read(description_file)
    return checked(
        TaskStart,
        option_names={"repo_url": "--repo", "base_branch": "--base"},
        title=title,
        description=description or None,
        repo_url=repository(repo),
        base_branch=base,
    )


def repository(text: str) -> str:
    """The address of a repository; a folder of this machine as its whole path.

    Raises:
        SetupError: it looks like a folder, and there is none, or no repository in it.
    """
    if "://" in text or ("@" in text and ":" in text):
        return text
    folder = Path(text).expanduser()
    if not folder.is_dir():
        raise SetupError(
            f"--repo {text}: there is no such folder. It takes the address of a repository, such "
            "as https://github.com/owner/name, or the folder of one on this machine."
        )
    if not (folder / ".git").exists() and not (folder / "HEAD").is_file():
        raise SetupError(
            f"--repo {text} is not a git repository: name the folder that .git is in, or a bare "
            "repository."
        )
    return str(folder.resolve())


def _read(file: Path) -> str:
    try:
        content = sys.stdin.buffer.read() if file == STDIN else file.read_bytes()
        return content.decode("utf-8")
    except OSError as error:
        reason = error.strerror
    except UnicodeDecodeError:
        reason = "it is not UTF-8"
    raise SetupError(f"--description-file {file} cannot be read: {reason}.")


async def begin(
    database: Database,
    workshop: Workshop,
    new: TaskStart,
    agent_named: str | None,
    options: AgentOptions,
) -> Begun:
    """Let an agent begin the task, as a server would.

    Raises:
        AssayError: nothing was begun; it says what keeps it from the work.
    """
    async with database.session() as session:
        agent = await choose_agent(session, SIGHT, agent_named, options)
        task = await start_task(session, SIGHT, agent.id, new, workshop)
        await session.refresh(agent)
    return Begun(task, agent)
