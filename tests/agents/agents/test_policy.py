import pytest
from pydantic import ValidationError

from assay.agents.agents.policy import ApprovalPolicy, needs_approval

POLICY = ApprovalPolicy(commands=["^git push", "rm -rf"], tools=["write_file"])


@pytest.mark.parametrize(
    "command",
    [
        "git push",
        "cd src && git push --force",
        "true; git push",
        "ls\ngit push",
        "(git push)",
        "echo $(git push)",
        "sudo rm -rf build",
    ],
)
def test_commands_that_match_need_approval(command: str) -> None:
    reason = needs_approval(POLICY, "run_command", {"command": command})
    assert reason is not None
    assert reason.startswith("commands that match ")


@pytest.mark.parametrize("command", ["git status", "echo 'will git push'", "rm file"])
def test_others_do_not(command: str) -> None:
    assert needs_approval(POLICY, "run_command", {"command": command}) is None


def test_tools_that_are_named_need_it_always() -> None:
    assert needs_approval(POLICY, "write_file", {"path": "a"}) is not None
    assert needs_approval(POLICY, "edit_file", {"path": "a"}) is None
    assert needs_approval(ApprovalPolicy(), "run_command", {"command": "rm -rf /"}) is None


def test_a_pattern_that_gives_up_needs_approval() -> None:
    costly = ApprovalPolicy(commands=["(?=push)push"])
    reason = needs_approval(costly, "run_command", {"command": "a" * 20_000})
    assert reason is not None
    assert "cannot be told" in reason


def test_policies_are_checked() -> None:
    with pytest.raises(ValidationError, match="not a regular expression"):
        ApprovalPolicy(commands=["("])
    with pytest.raises(ValidationError, match="Extra inputs"):
        ApprovalPolicy.model_validate({"comands": []})
    stored = POLICY.model_dump(mode="json")
    assert ApprovalPolicy.model_validate(stored) == POLICY
