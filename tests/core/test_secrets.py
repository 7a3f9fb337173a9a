"""The secret that stored secrets hang on: from the environment, or from a file of one's own."""

import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.config import Settings
from assay.core.errors import SetupError
from assay.core.secrets import KeyFileRotation, SecretKey, load_secret_key

OLD, NEW = "o" * 32, "n" * 32


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    def make(**changes: Any) -> Settings:
        given = {"assay_home": tmp_path, "secret_key": None, "secret_key_previous": None}
        return Settings(**{**given, **changes}, _env_file=None)

    return make


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "secret_key"


@given(st.text())
def test_what_is_sealed_can_be_opened_and_not_read(text: str) -> None:
    secret = SecretKey(OLD)
    sealed = secret.seal(text)
    assert secret.open(sealed) == text
    assert sealed != secret.seal(text)
    assert len(text) < 4 or text.encode() not in sealed


def test_another_key_opens_nothing() -> None:
    sealed = SecretKey(OLD).seal("sk-1")
    for attempt in (SecretKey(NEW).open, SecretKey(NEW).seal_again):
        with pytest.raises(SetupError, match="sealed with another SECRET_KEY"):
            attempt(sealed)


@pytest.mark.parametrize("place", [0, 20, -1])
def test_what_was_changed_is_not_opened(place: int) -> None:
    sealed = bytearray(SecretKey(OLD).seal("sk-1"))
    sealed[place] ^= 1
    with pytest.raises(SetupError):
        SecretKey(OLD).open(bytes(sealed))


def test_with_the_previous_key_what_it_sealed_is_opened_and_sealed_again() -> None:
    sealed = SecretKey(OLD).seal("sk-1")
    both = SecretKey(NEW, [OLD])
    assert both.open(sealed) == "sk-1"
    with pytest.raises(SetupError):
        SecretKey(OLD).open(both.seal("sk-2"))
    again = both.seal_again(sealed)
    assert SecretKey(NEW).open(again) == "sk-1"
    with pytest.raises(SetupError):
        SecretKey(OLD).open(again)
    assert SecretKey(NEW).open(both.seal_again(again)) == "sk-1"


def test_each_purpose_has_a_key_of_its_own() -> None:
    secret = SecretKey(OLD)
    keys = {secret.derive(purpose) for purpose in ("tokens", "other tokens", "")}
    keys.add(SecretKey(NEW).derive("tokens"))
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}
    assert SecretKey(OLD, [NEW]).derive("tokens") == secret.derive("tokens")


def test_the_environment_comes_before_the_file(
    settings: Callable[..., Settings], file: Path
) -> None:
    sealed = load_secret_key(settings(secret_key=OLD)).seal("sk-1")
    assert not file.exists()
    both = settings(secret_key=NEW, secret_key_previous=OLD)
    assert load_secret_key(both).open(sealed) == "sk-1"
    with pytest.raises(SetupError):
        load_secret_key(settings()).open(sealed)


def test_the_file_is_made_once_and_for_its_owner_alone(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    home = tmp_path / "not" / "there yet"
    made = settings(assay_home=home)
    sealed = load_secret_key(made).seal("sk-1")
    file = home / "secret_key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(file.read_text().strip()) >= 64
    assert load_secret_key(made).open(sealed) == "sk-1"
    assert list(home.iterdir()) == [file], "no draft is left"


def test_all_that_start_at_once_get_the_same_key(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    for number in range(20):
        own = settings(assay_home=tmp_path / str(number))
        with ThreadPoolExecutor(8) as pool:
            loaded = list(pool.map(load_secret_key, [own] * 8))
        assert len({secret.derive("x") for secret in loaded}) == 1
        assert len(list(own.assay_home.iterdir())) == 1


@pytest.mark.parametrize("content", [b"", b"\n", b"short", b"o" * 40 + b"\nshort", b"\xff" * 40])
def test_a_file_without_a_key_is_refused_and_left_alone(
    settings: Callable[..., Settings], file: Path, content: bytes
) -> None:
    file.write_bytes(content)
    with pytest.raises(SetupError, match="holds no key") as refusal:
        load_secret_key(settings())
    assert str(file) in refusal.value.detail
    assert file.read_bytes() == content


def test_a_file_that_cannot_be_read_is_refused(
    settings: Callable[..., Settings], file: Path, tmp_path: Path
) -> None:
    file.mkdir()
    with pytest.raises(SetupError, match="cannot be used"):
        load_secret_key(settings())
    in_the_way = tmp_path / "a file"
    in_the_way.touch()
    with pytest.raises(SetupError, match="cannot be used"):
        load_secret_key(settings(assay_home=in_the_way))


def test_the_key_in_the_file_is_changed_in_two_steps(
    settings: Callable[..., Settings], file: Path, tmp_path: Path
) -> None:
    sealed = load_secret_key(settings()).seal("sk-1")
    rotation = KeyFileRotation(tmp_path)
    both = rotation.begin()
    assert load_secret_key(settings()).open(sealed) == "sk-1"
    again = both.seal_again(sealed)
    assert load_secret_key(settings()).open(again) == "sk-1"
    rotation.end()
    assert load_secret_key(settings()).open(again) == "sk-1"
    with pytest.raises(SetupError):
        load_secret_key(settings()).open(sealed)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_change_that_broke_off_loses_nothing(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """It ended after half of the secrets; the next one finds them all."""
    first, second = [load_secret_key(settings()).seal(text) for text in ("sk-1", "sk-2")]
    first = KeyFileRotation(tmp_path).begin().seal_again(first)
    broken = load_secret_key(settings())
    assert [broken.open(sealed) for sealed in (first, second)] == ["sk-1", "sk-2"]
    third = broken.seal("sk-3")

    rotation = KeyFileRotation(tmp_path)
    all_keys = rotation.begin()
    sealed = [all_keys.seal_again(each) for each in (first, second, third)]
    rotation.end()
    after = load_secret_key(settings())
    assert [after.open(each) for each in sealed] == ["sk-1", "sk-2", "sk-3"]


def test_a_process_that_is_killed_leaves_a_whole_file(
    settings: Callable[..., Settings], tmp_path: Path
) -> None:
    sealed = load_secret_key(settings()).seal("sk-1")
    program = (
        "import os, sys, pathlib; from assay.core.secrets import KeyFileRotation\n"
        "pathlib.Path.replace = lambda *_: os._exit(9)\n"
        "KeyFileRotation(pathlib.Path(sys.argv[1])).begin()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert ended.returncode == 9
    assert load_secret_key(settings()).open(sealed) == "sk-1"
