"""Whom an assertion asks: its `provider`, as promptfoo writes it."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import JsonValue

from assay.grading.checks import CheckFault
from assay.grading.judges.dialogue import JudgedType, Role
from assay.grading.questions import JudgeModel, Judges

FIELD = "provider"
JudgeCheck = Callable[[str, JudgedType, Judges], None]
"""Raises CheckFault where an assertion of a type has nobody to ask."""

_MAX_NAME = 255
_SHAPE = (
    'Write "provider/model", or an object with an id and a config, the parameters of the request; '
    'or both kinds of judge, as {"text": ..., "embedding": ...}.'
)
_HOW = {
    "text": (
        "a judge: name a model as its provider, or for all that name none as the judge of the run, "
        '{"model": "provider/model"}; in an evaluation file as defaultTest.options.provider'
    ),
    "embedding": (
        "a model that makes embeddings: name it as its provider, or for all that name none in the "
        'judge of the run, {"embedding": "provider/model"}; in an evaluation file as '
        "defaultTest.options.provider.embedding. builtin/wordllama needs no network"
    ),
}


def read_provider(given: JsonValue, judged: JudgedType) -> Judges:
    """The judges that a `provider` names; without a role it is the one that the type needs first.

    Raises:
        CheckFault: it names none; its `field` names the place.
    """
    if given is None:
        return Judges()
    if isinstance(given, dict) and given.keys() & {"text", "embedding"}:
        if rest := given.keys() - {"text", "embedding"}:
            raise CheckFault(_SHAPE, f"{FIELD}.{min(rest)}")
        roles = {role: _model(model, f"{FIELD}.{role}") for role, model in given.items()}
        return Judges(roles.get("text"), roles.get("embedding"))
    model = _model(given, FIELD)
    return Judges(text=model) if judged.asks[0] == "text" else Judges(embedding=model)


def missing_judge(name: str, role: Role) -> CheckFault:
    """That an assertion of type `name` has nobody to ask, and how to name somebody."""
    return CheckFault(f"{name} needs {_HOW[role]}.", FIELD)


def _model(given: Any, place: str) -> JudgeModel:
    if isinstance(given, str):
        given = {"id": given}
    if not isinstance(given, Mapping) or not given.keys() <= {"id", "config"}:
        raise CheckFault(_SHAPE, place)
    name, config = given.get("id"), given.get("config") or {}
    if not isinstance(name, str) or not name.strip() or len(name) > _MAX_NAME:
        raise CheckFault(_SHAPE, place)
    if not isinstance(config, dict):
        raise CheckFault("This must be an object of parameters.", f"{place}.config")
    return JudgeModel(name, config)
