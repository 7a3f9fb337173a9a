"""Questions of a task to people, answered at the terminal or told where to answer."""

import asyncio
from typing import Any, Protocol
from uuid import UUID

import orjson
from rich.console import Console
from rich.text import Text

from assay.cli.console import notes
from assay.cli.safe_text import safe
from assay.cli.tasks.keyboard import Keyboard
from assay.cli.tasks.starting import SIGHT
from assay.consults.requests.deciding import respond
from assay.consults.requests.models import Kind
from assay.consults.requests.reading import describe, get_request
from assay.consults.requests.schemas import RequestRead, ResponseCreate
from assay.core.config import Settings
from assay.core.database import Database

DETAIL_LINES = 80
_YES, _NO = ("y", "yes"), ("n", "no")


class People(Protocol):
    """Whom a task's questions are put to from here."""

    async def put(self, request_id: UUID) -> None:
        """Bring one question to somebody; being cancelled means that it has been decided."""


class Elsewhere:
    """Nobody is at this terminal: tells where the answer can be given."""

    def __init__(self, settings: Settings, database: Database, task_id: UUID) -> None:
        """Tell of the server that these settings would make."""
        self._settings = settings
        self._database = database
        self._task_id = task_id

    async def put(self, request_id: UUID) -> None:
        """Tell where to answer a question."""
        async with self._database.reading() as session:
            request = await get_request(session, SIGHT, request_id)
            kind, title = request.kind, request.title
        value = '{"approved": true}' if kind is Kind.approve else '"…"'
        settings = self._settings
        url = f"http://{settings.host}:{settings.api_port}/api/v1/requests/{request_id}/respond"
        _say(f"Waiting for a person: {title}", "yellow")
        _say("Answer in a terminal, with")
        _say(f"  assay task watch {self._task_id}")
        _say("or at a server on this database (assay up), in its inbox or with")
        _say(f"  curl {url} -H 'Content-Type: application/json' -d '{{\"value\": {value}}}'")


class AtTerminal:
    """Asks whoever sits at the terminal, as the user that has this machine."""

    def __init__(self, database: Database, task_id: UUID) -> None:
        """Keep the answers in `database`."""
        self._database = database
        self._task_id = task_id
        self._keyboard = Keyboard()

    async def put(self, request_id: UUID) -> None:
        """Ask a question, and keep what is answered; Ctrl-D leaves it to others.

        Raises:
            RequestEnded: others were faster, by a moment.
            AnswerOffSchema, OtherSubject
        """
        async with self._database.reading() as session:
            request = await get_request(session, SIGHT, request_id)
            question = await describe(session, SIGHT, request)
        if not question.may_answer:
            _say("It is for others to answer; the task waits for them.", "yellow")
            return
        show_question(notes(), question, self._task_id)
        self._keyboard.forget()
        try:
            answer = await self._answer(question)
        except asyncio.CancelledError:
            notes().print()
            raise
        if answer is None:
            _say(f"\nIt is left open: assay task watch {self._task_id} asks again.", "yellow")
            return
        async with self._database.session() as session:
            await respond(session, SIGHT, request_id, answer)

    async def _answer(self, question: RequestRead) -> ResponseCreate | None:
        """What is answered; `None` where whoever is asked leaves."""
        while True:
            typed = await self._ask(_PROMPTS[question.kind])
            if typed is None:
                return None
            value = _value(question, typed)
            if value is None:
                continue
            comment = None
            if question.kind is Kind.approve and not value["approved"]:
                comment = await self._reason(typed)
            return ResponseCreate(value=value, comment=comment, subject_hash=question.subject_hash)

    async def _reason(self, typed: str) -> str | None:
        """Why not: behind the no, or asked for."""
        reason = typed.partition(" ")[2].strip()
        return reason or await self._ask("Why? (Enter for no reason)") or None

    async def _ask(self, prompt: str) -> str | None:
        notes().print(Text(f"{prompt} > ", style="bold"), end="", soft_wrap=True)
        return await self._keyboard.line()


_PROMPTS = {
    Kind.approve: "Allow it? y, n, or n and why not",
    Kind.choose: "Your choice, by its number",
    Kind.text: "Your answer",
}


def _value(question: RequestRead, typed: str) -> Any:
    """The answer that was typed; `None` where it is none, so that it is asked for again."""
    if question.kind is Kind.approve:
        word = typed.partition(" ")[0].rstrip(",.:;").lower()
        if word in _YES and " " not in typed:
            return {"approved": True}
        return {"approved": False} if word in _NO else None
    if question.kind is Kind.choose:
        options = [each.value for each in question.options or ()]
        if typed in options:
            return typed
        number = int(typed) if typed.isdecimal() else 0
        return options[number - 1] if 0 < number <= len(options) else None
    return typed or None


def show_question(console: Console, question: RequestRead, task_id: UUID) -> None:
    """Print what has to be known to answer: what is to be done, with all arguments, and the diff.

    Nothing of it is hidden from whoever decides: what is cut says so.
    """
    console.print(Text(f"\n{safe(question.title)}", style="bold yellow"), soft_wrap=True)
    if question.description and question.description != question.title:
        _print_cut(console, question.description, task_id)
    if question.kind is Kind.approve:
        arguments = question.context.get("call", {}).get("arguments", {})
        for name, value in arguments.items():
            shown = value if isinstance(value, str) else orjson.dumps(value).decode()
            _print_cut(console, f"{name}: {shown}", task_id)
    for number, option in enumerate(question.options or (), start=1):
        console.print(Text(f"  {number}  {safe(option.value)}"), soft_wrap=True)
    if diff := question.context.get("diff"):
        _print_cut(console, diff, task_id)


def _print_cut(console: Console, text: str, task_id: UUID) -> None:
    lines = text.splitlines()
    for line in lines[:DETAIL_LINES]:
        console.print(Text(f"  {safe(line)}"), soft_wrap=True)
    if len(lines) > DETAIL_LINES:
        more = len(lines) - DETAIL_LINES
        say = f"  … {more:,} more lines are not shown here: see assay task show {task_id} --diff"
        console.print(Text(say, style="yellow"), soft_wrap=True)


def _say(text: str, style: str = "") -> None:
    notes().print(Text(safe(text), style=style), soft_wrap=True)
