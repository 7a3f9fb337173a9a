"""What a run will take, estimated before it is started: without a tokenizer, and without judges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.templates import TemplateFault
from assay.gateway.service import Gateway
from assay.gateway.types import Usage, text_of
from assay.playground.datasets.items.history import present
from assay.playground.datasets.models import Dataset, DatasetItem
from assay.playground.prompts.models import PromptVersion
from assay.playground.prompts.rendering import PromptRenderer
from assay.playground.runs.models import EvalRun
from assay.playground.runs.schemas import Estimate, EvalRunCreate
from assay.playground.runs.specification import model_id

CHARACTERS_OF_TOKEN = 4
# Of an answer, where none of the prompt is stored and nothing caps it.
TOKENS_OUT = 200
# Items that are filled in to see how long requests are, and runs whose answers are looked at.
SAMPLE = 200
EARLIER_RUNS = 5

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a run stands on: the version, the dataset, and how many items that has."""

    version: PromptVersion
    dataset: Dataset
    items: int


async def estimate(
    session: AsyncSession, gateway: Gateway, parts: Parts, data: EvalRunCreate
) -> Estimate:
    """Estimate tokens and cost of a run; what the cache or judges do to them is not in it.

    Requests are taken to have a token for each four characters, and answers to be as long as
    those of the prompt's latest runs, or else 200 tokens, but not longer than `max_tokens`.
    """
    models = [entry.model_dump(exclude_none=True) for entry in data.models]
    cells_of_model = parts.items * data.repeat
    tokens_in = max(1, round(await _characters(session, parts) / CHARACTERS_OF_TOKEN))
    earlier = await _earlier_summaries(session, parts.version)
    total_out, cost = 0, 0.0
    unpriced = []
    for entry in models:
        tokens_out = _tokens_out(entry, parts.version.model_defaults or {}, earlier)
        rate = await gateway.rate(entry["model"])
        price = rate(Usage(tokens_in, tokens_out))
        if price is None:
            unpriced.append(model_id(entry))
        total_out += cells_of_model * tokens_out
        cost += cells_of_model * (price or 0.0)
    return Estimate(
        cells=cells_of_model * len(models),
        tokens_in=cells_of_model * len(models) * tokens_in,
        tokens_out=total_out,
        cost=None if unpriced else cost,
        unpriced_models=unpriced,
    )


async def _characters(session: AsyncSession, parts: Parts) -> float:
    """Of a request, on average over a sample of the items."""
    version = parts.version
    renderer = PromptRenderer(version.type, version.template_text, version.template_messages)
    one_in = max(1, parts.items // SAMPLE)
    # By a hash of the id, since neighbours in a dataset are often alike.
    sample = await session.scalars(
        select(DatasetItem.input)
        .where(
            present(parts.dataset.id),
            func.mod(func.abs(func.uuid_hash(DatasetItem.id) / 2), one_in) == 0,
        )
        .limit(2 * SAMPLE)
    )
    lengths = []
    for variables in sample:
        try:
            messages = renderer.render(variables)
        except TemplateFault:
            continue  # it will be an error, and cost nothing
        lengths.append(sum(len(text_of(message)) for message in messages))
    return fmean(lengths) if lengths else 0.0


async def _earlier_summaries(session: AsyncSession, version: PromptVersion) -> Sequence[Entry]:
    """What came out of the latest runs of the prompt."""
    found = await session.scalars(
        select(EvalRun.summary)
        .join(PromptVersion, PromptVersion.id == EvalRun.prompt_version_id)
        .where(
            PromptVersion.prompt_id == version.prompt_id,
            EvalRun.summary.is_not(None),
            EvalRun.rescored_from_id.is_(None),
        )
        .order_by(EvalRun.id.desc())
        .limit(EARLIER_RUNS)
    )
    return [summary for summary in found if summary is not None]


def _tokens_out(entry: Entry, defaults: Entry, earlier: Sequence[Entry]) -> int:
    """Of an answer of a model: by its own ones before, else by those of others."""
    own = [s["models"][model_id(entry)] for s in earlier if model_id(entry) in s["models"]]
    tokens = _mean_tokens(own) or _mean_tokens([s["overall"] for s in earlier]) or TOKENS_OUT
    parameters = {**defaults, **entry.get("parameters", {})}
    caps = (parameters.get(name) for name in ("max_tokens", "max_completion_tokens"))
    return min([tokens, *(cap for cap in caps if isinstance(cap, int) and cap > 0)])


def _mean_tokens(entries: Sequence[Entry]) -> int:
    answers = sum(entry["cells"] - entry["errors"] for entry in entries)
    return round(sum(entry["tokens_out"] for entry in entries) / answers) if answers else 0
