r"""Regular expressions that cannot hang a worker.

Python's own engine can take hours for `(a+)+$` on a text of forty letters. The engines here
are those behind `pattern` in JSON Schema, by way of jsonschema-rs. Most patterns go to one that
takes time in proportion to the text. Only patterns with look-around or back-references go to
one that steps back; it gives up at a limit of steps and takes texts up to a limit of length,
which together keep the worst patterns within about two seconds. Steps and not seconds, so that
an answer gets the same grade on a busy machine.

The syntax is that of ECMA 262 as JSON Schema uses it: `\d` and `\w` mean ASCII, `$` is the very
end, a literal brace needs a backslash. `(?i)`, `(?s)`, `(?m)` and `(?x)` work as in Python.
"""

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

from jsonschema_rs import (
    Draft202012Validator,
    FancyRegexOptions,
    RegexOptions,
    ValidationError,
    ValidationErrorKind,
)

from assay.grading.checks import CheckFault, Spec, Test, Verdict, quoted

STEP_LIMIT = 50_000
"""Steps back that a search with look-around or back-references may take."""

TEXT_LIMIT = 10_000
"""Characters of the longest output that such a search takes."""

_GAVE_UP = (ValidationErrorKind.BacktrackLimitExceeded, ValidationErrorKind.RegexEngineFailure)

PATTERN_OPTIONS = FancyRegexOptions(backtrack_limit=STEP_LIMIT)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern.

    Attributes:
        text: The pattern as written.
        validator: What a text passes if the pattern matches somewhere in it.
        is_linear: The search takes time in proportion to the text, so it needs no limits.
    """

    text: str
    validator: Draft202012Validator
    is_linear: bool

    def matches(self, text: str) -> bool:
        """Whether the pattern matches somewhere in the text.

        Raises:
            CheckFault: The search runs into a limit, or the text is not valid Unicode.
        """
        try:
            return self.validator.is_valid(text) if self.is_linear else self._steps_back(text)
        except UnicodeEncodeError:
            raise CheckFault("The output is not valid Unicode text.") from None

    def _steps_back(self, text: str) -> bool:
        if len(text) > TEXT_LIMIT:
            raise CheckFault(
                f"A pattern with look-around or back-references takes outputs of up to "
                f"{TEXT_LIMIT:,} characters; this one has {len(text):,}."
            )
        error = next(iter(self.validator.iter_errors(text)), None)
        if error is not None and ran_out(error):
            raise CheckFault(
                f"The pattern {quoted(self.text)} takes too many steps on this output; "
                "fewer nested repetitions, look-arounds or back-references help."
            )
        return error is None


def regex(spec: Spec) -> Test:
    """The pattern matches somewhere in the output."""
    text = str(spec.value)
    pattern = compile_pattern(text)
    matched = Verdict(True, 1.0, f"The output matches the pattern {quoted(text)}.")
    unmatched = Verdict(False, 0.0, f"The output does not match the pattern {quoted(text)}.")
    return lambda answer: matched if pattern.matches(answer.output) else unmatched


@lru_cache(maxsize=256)
def compile_pattern(text: str) -> Pattern:
    """Compile a pattern for the engine that suits it.

    Raises:
        CheckFault: The pattern is empty, faulty or too large.
    """
    if not text:
        raise CheckFault("The pattern is empty, and every output matches that.")
    for options in (RegexOptions(), PATTERN_OPTIONS):
        try:
            validator = Draft202012Validator({"pattern": text}, pattern_options=options)
        except ValueError:
            continue
        return Pattern(text, validator, is_linear=options is not PATTERN_OPTIONS)
    raise CheckFault(
        f"{quoted(text)} is not a regular expression that can be used: {_fault_in(text)}."
    )


def ran_out(error: ValidationError) -> bool:
    """Whether the pattern gave up at a limit, instead of finding that the text does not match."""
    return isinstance(error.kind, _GAVE_UP)


def _fault_in(text: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return (
        "it is too large, or not in the syntax of JSON Schema (ECMA 262), where a literal brace "
        r"is \{ and named back-references, \A, \Z and atomic groups do not exist"
    )
