import io
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]
PASSWORD = "correct horse battery"

pytestmark = pytest.mark.usefixtures("dsn")


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets what the next command reads."""

    def send(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    return send


@pytest.fixture
def create(assay: Run, stdin: Callable[[str], None]) -> Run:
    """Makes a user."""

    def run(email: str, *options: str, password: str = PASSWORD) -> Any:
        stdin(f"{password}\n")
        return assay("users", "create", "--email", email, "--password-stdin", *options)

    return run


def listed(assay: Run) -> dict[str, dict[str, Any]]:
    return {user["email"]: user for user in json.loads(assay("users", "list", "--json").out)}


def test_a_user_is_made_and_listed(create: Run, assay: Run) -> None:
    ended = create("Ada@Example.com", "--role", "admin")
    assert (ended.code, ended.out) == (0, "")
    assert "ada@example.com can sign in now, as admin." in ended.err
    user = listed(assay)["ada@example.com"]
    assert (user["name"], user["role"], user["is_active"]) == ("Ada", "admin", True)
    table = assay("users", "list").out
    assert "ada@example.com" in table
    assert "never" in table


def test_the_password_is_stored_as_a_hash_only(create: Run, query: Callable[..., Any]) -> None:
    create("ada@example.com", "--role", "admin")
    [(stored,)] = query("SELECT password_hash FROM identity.users")
    assert stored.startswith("$argon2id$")
    [(audit,)] = query("SELECT json_agg(a)::text FROM identity.audit_log a")
    assert "user.created" in audit
    for text in (PASSWORD, stored):
        assert text not in audit


@pytest.mark.parametrize(
    ("email", "options", "password", "message"),
    [
        ("ada", [], PASSWORD, "--email: "),
        ("ada@example.com", [], "short", "--password: "),
        ("ada@example.com", ["--role", "king"], PASSWORD, "'king' is not one of"),
    ],
)
def test_a_wrong_option_is_named(
    create: Run, assay: Run, email: str, options: list[str], password: str, message: str
) -> None:
    ended = create(email, *options, password=password)
    assert ended.code == 2
    assert message in ended.err
    assert password not in ended.err or password == PASSWORD
    assert listed(assay) == {}


def test_without_a_terminal_the_password_comes_from_standard_input(assay: Run) -> None:
    ended = assay("users", "create", "--email", "ada@example.com")
    assert ended.code == 2
    assert "--password-stdin" in ended.err


def test_an_address_is_used_once(create: Run) -> None:
    create("ada@example.com")
    ended = create("ADA@example.com")
    assert ended.code == 2
    assert "There is a user with this e-mail address already." in ended.err


def test_role_and_name_are_changed_and_somebody_is_switched_off(create: Run, assay: Run) -> None:
    create("ada@example.com", "--role", "admin")
    create("bob@example.com")
    ended = assay("users", "update", "bob@example.com", "--role", "editor", "--name", "Bob B.")
    assert "bob@example.com is editor and may sign in." in ended.err
    ended = assay("users", "update", "bob@example.com", "--off")
    assert "is switched off" in ended.err
    bob = listed(assay)["bob@example.com"]
    assert (bob["role"], bob["name"], bob["is_active"]) == ("editor", "Bob B.", False)


def test_the_last_admin_stays(create: Run, assay: Run) -> None:
    create("ada@example.com", "--role", "admin")
    for options in (["--off"], ["--role", "viewer"]):
        ended = assay("users", "update", "ada@example.com", *options)
        assert ended.code == 2
        assert "This is the last admin" in ended.err
    assert listed(assay)["ada@example.com"]["is_active"]


def test_a_new_password_is_given(
    create: Run, assay: Run, stdin: Callable[[str], None], query: Callable[..., Any]
) -> None:
    create("ada@example.com", "--role", "admin")
    before = query("SELECT password_hash FROM identity.users")
    stdin("staple paper clip envelope\n")
    ended = assay("users", "password", "ada@example.com", "--password-stdin")
    assert (ended.code, "has a new password" in ended.err) == (0, True)
    assert query("SELECT password_hash FROM identity.users") != before


def test_an_unknown_user_is_named(assay: Run) -> None:
    ended = assay("users", "update", "x@example.com", "--off")
    assert ended.code == 2
    assert "There is no user with the e-mail address x@example.com." in ended.err
