"""What the documentation names exists, and its examples work."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from dotenv import dotenv_values
from pydantic_core import PydanticUndefined

from assay.cli.main import COMMANDS, load_command
from assay.core.config import ProviderSettings, Settings
from assay.gateway.providers.builtin import PROGRAMS
from assay.gateway.providers.catalog import KNOWN
from assay.grading.assertions import compile_assertions
from assay.grading.derived import compile_derived_metrics
from assay.grading.registry import ASSERT_SET, CHECK_TYPES, HUMAN, JUDGED_TYPES
from assay.grading.results import Answer
from assay.playground.promptfoo.document import parse_yaml
from assay.playground.promptfoo.reader import read_suite
from assay.playground.runs.schemas import JudgeEntry, ModelEntry

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "examples/*.md") for path in ROOT.glob(pattern)
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
ENV_LINE = re.compile(r"^#([A-Z][A-Z0-9_]*)=(.*)$")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def blocks(text: str, language: str) -> list[str]:
    """The contents of fenced blocks in a language."""
    return [found[2] for found in FENCE.finditer(text) if found[1] == language]


def code(text: str) -> str:
    """All that is written as code in a page, a line for each span or line."""
    spans = SPAN.findall(FENCE.sub("", text))
    return "\n".join([*spans, *(found[2] for found in FENCE.finditer(text))])


def anchors(path: Path) -> set[str]:
    """What links can point to inside a page."""
    headings = HEADING.findall(FENCE.sub("", path.read_text()))
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


def section(path: Path, heading: str) -> str:
    """The text under a heading, up to the next one of the same level."""
    level = heading.partition(" ")[0]
    _, found, rest = path.read_text().partition(f"\n{heading}\n")
    assert found, f"{path} has no {heading}"
    return re.split(rf"^{level} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def test_pages_are_found() -> None:
    names = {str(path.relative_to(ROOT)) for path in PAGES}
    assert {"README.md", "CONTRIBUTING.md", "docs/runs.md", "examples/README.md"} <= names


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


@each_page
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"^make(?: [A-Z]+=\S+)* +([a-z]+)", code(page.read_text()), re.MULTILINE)
    assert set(named) <= targets


def options(name: str, rest: str = "") -> set[str]:
    """The options of a command of `assay`; of a group, those of the one that `rest` names."""
    command = load_command(name)
    if hasattr(command, "commands") and (words := rest.split(maxsplit=1)):
        command = command.commands[words[0]]
    names = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    return {name for name in names if name[0] == "-"}


@each_page
def test_commands_and_their_options_exist(page: Path) -> None:
    calls = re.findall(
        r"(?:^|&& |\| |^\w+=\S+ |\.venv/bin/)assay ([a-z]+)([^#\n|]*)",
        code(page.read_text()),
        re.MULTILINE,
    )
    for command, rest in calls:
        assert command in COMMANDS
        assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= options(command, rest)


def test_all_options_of_eval_are_told() -> None:
    told = re.findall(r"`(--[a-z]+)", section(ROOT / "docs/eval-files.md", "## The command"))
    assert set(told) == options("eval")


@each_page
def test_files_exist(page: Path) -> None:
    places = r"^(?:src|tests|docs|benchmarks|examples|scripts)/[\w./-]*|^[a-z_]+/[\w/]+\.py"
    for name in re.findall(places, code(page.read_text()), re.MULTILINE):
        assert (ROOT / name).exists() or (ROOT / "src/assay" / name).exists(), name


def env_example() -> dict[str, str]:
    """The settings in .env.example with their values."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    return {found[1]: found[2] for found in map(ENV_LINE.match, lines) if found}


def test_env_example_changes_nothing() -> None:
    assert dotenv_values(ROOT / ".env.example") == {}


def test_env_example_explains_each_setting() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    for before, line in pairwise(lines):
        if ENV_LINE.match(line):
            assert before.startswith("# ") or ENV_LINE.match(before), line


def test_env_example_has_every_setting_and_no_other() -> None:
    ours = {name.upper() for name in Settings.model_fields}
    given = set(env_example())
    assert ours <= given
    of_providers = "|".join(field.upper() for field in ProviderSettings.model_fields)
    compose = re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text())
    for name in given - ours:
        provider = re.fullmatch(rf"(\w+?)_({of_providers})", name)
        known = provider is not None and provider[1].lower().replace("_", "-") in KNOWN
        assert known or name in compose, name


def test_env_example_has_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = env_example()
    for name in given:
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / ".env"
    file.write_text("".join(f"{name}={value}\n" for name, value in given.items()))
    settings = Settings(_env_file=file)
    for name, field in Settings.model_fields.items():
        if field.default not in (None, PydanticUndefined):
            assert getattr(settings, name) == field.default, name


def test_operations_list_the_settings() -> None:
    table = section(ROOT / "docs/operations.md", "## Settings")
    named = re.findall(r"^\| `([A-Z0-9_]+)` \|", table, re.MULTILINE)
    assert sorted(named) == sorted(name.upper() for name in Settings.model_fields)


def test_models_list_providers_and_programs() -> None:
    text = (ROOT / "docs/models.md").read_text()
    for name in [*KNOWN.keys() - {"builtin"}, *(f"builtin/{program}" for program in PROGRAMS)]:
        assert f"`{name}`" in text, name


def test_model_entry_in_models_is_valid() -> None:
    [entry] = blocks((ROOT / "docs/models.md").read_text(), "json")
    assert ModelEntry.model_validate_json(entry).output_schema


# What examples name.
NAMED_FILES = {
    "prompts/brief.txt": "Briefly: {{question}}",
    "default.yaml": "vars: {question: Why?}",
    "cases/why.yaml": "vars: {question: Why?}",
    "mails/parcel.txt": "Where is my parcel?",
    "schema.json": "{}",
}
SUITES = [
    *blocks((ROOT / "README.md").read_text(), "yaml"),
    *blocks((ROOT / "docs/eval-files.md").read_text(), "yaml"),
]


@pytest.mark.parametrize("text", SUITES, ids=lambda text: text.partition("\n")[0])
def test_evaluation_files_can_be_read(text: str, tmp_path: Path) -> None:
    whole = {
        "prompts": ["{{question}}"],
        "providers": ["builtin/echo"],
        "tests": [{"vars": {"question": "Why?"}}],
    }
    for name, content in NAMED_FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    file = tmp_path / "suite.json"
    file.write_text(json.dumps({**whole, **parse_yaml(text)}))
    suite = read_suite(file)
    assert suite.prompts
    assert not suite.warnings


ASSERTIONS = ROOT / "docs/assertions.md"


DERIVED = "derivedMetrics:"
GRADED = blocks(ASSERTIONS.read_text(), "yaml")


@pytest.mark.parametrize("text", [text for text in GRADED if text.startswith(DERIVED)])
def test_derived_metrics_can_be_read(text: str) -> None:
    compile_derived_metrics(parse_yaml(text)[DERIVED.removesuffix(":")])


@pytest.mark.parametrize("text", [text for text in GRADED if not text.startswith(DERIVED)])
def test_assertions_grade_as_told(text: str) -> None:
    grader = compile_assertions(parse_yaml(text))
    for word, output in re.findall(r"^# (passes|fails): (.*)$", text, re.MULTILINE):
        grading = grader.grade(Answer(output), {})
        assert grading.passed is (word == "passes"), f"{output}: {grading.reason}"
        assert not any(entry.error for entry in grading.entries)


JUDGES = ROOT / "docs/judges.md"


def test_assertions_that_ask_compile() -> None:
    examples = [parse_yaml(text) for text in blocks(JUDGES.read_text(), "yaml")]
    for example in examples:
        if isinstance(example, list):
            assert compile_assertions(example).asks
    told = {each["type"] for example in examples if isinstance(example, list) for each in example}
    assert told == {name for name in JUDGED_TYPES if ":" not in name}
    for name in JUDGED_TYPES:
        assert f"`{name}`" in JUDGES.read_text() or f"### {name}\n" in JUDGES.read_text()
    [judge] = blocks(JUDGES.read_text(), "json")
    assert JudgeEntry.model_validate(json.loads(judge)["judge"]).model


def test_files_that_ask_can_be_read(tmp_path: Path) -> None:
    [text] = [text for text in blocks(JUDGES.read_text(), "yaml") if text.startswith("default")]
    whole = {"prompts": ["{{q}}"], "providers": ["builtin/echo"], "tests": [{"vars": {"q": "?"}}]}
    file = tmp_path / "suite.json"
    file.write_text(json.dumps({**whole, **parse_yaml(text)}))
    assert (read_suite(file).judge or {})["embedding"] == "openai/text-embedding-3-small"


@pytest.mark.parametrize("name", [*CHECK_TYPES, HUMAN, ASSERT_SET])
def test_every_assertion_type_is_told(name: str) -> None:
    told = section(ASSERTIONS, f"### {name}").partition("\n## ")[0]
    assert f"- type: {name}\n" in told
    measured = name in {"latency", "cost", "perplexity", "perplexity-score", HUMAN}
    assert measured or ("# passes: " in told and "# fails: " in told)
