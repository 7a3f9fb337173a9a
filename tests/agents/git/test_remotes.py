from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from assay.agents.git.errors import RemoteRefused, RemoteUnreachable
from assay.agents.git.remotes import Remotes
from assay.core.config import Settings
from assay.core.outbound import parse_networks


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://github.com/owner/name", "https://github.com/owner/name"),
        ("https://GitHub.com:443/owner/name.git/", "https://github.com/owner/name.git"),
        ("https://git.example.com:8443/a/b/c", "https://git.example.com:8443/a/b/c"),
    ],
)
def test_taken(text: str, url: str) -> None:
    assert Remotes().parse(text).url == url


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "such as https://github.com/owner/name"),
        ("ext::sh -c 'touch /tmp/x'", "no spaces"),
        ("ext::sh", "such as https://github.com/owner/name"),
        ("fd::17/x", "such as https://github.com/owner/name"),
        ("--upload-pack=touch", "such as https://github.com/owner/name"),
        ("-u:x/y", "such as https://github.com/owner/name"),
        ("ftp://example.com/x", "such as https://github.com/owner/name"),
        ("git@github.com:owner/name.git", "takes https://github.com/owner/name,"),
        ("ssh://git@github.com:22/owner/name", "takes https://github.com/owner/name,"),
        ("https://user:secret@github.com/owner/name", "must not hold a user"),
        ("https://github.com/", "address of a repository"),
        ("https://github.com/a/b?x=1", "address of a repository"),
        ("https://127.0.0.1/a/b", "GIT_ALLOWED_NETWORKS"),
        ("https://169.254.169.254/latest/meta-data", "GIT_ALLOWED_NETWORKS"),
        ("https://[::1]/a/b", "GIT_ALLOWED_NETWORKS"),
        ("https://2130706433/a/b", "is no address"),
        ("https://exa mple.com/a", "no spaces"),
        ("https://example.com/a\nb", "no spaces"),
        ("/etc", "GIT_LOCAL_REMOTES"),
        ("file:///etc", "GIT_LOCAL_REMOTES"),
        ("file://host/share", "absolute path"),
        ("https://example.com/" + "a" * 2000, "2,000 characters"),
    ],
)
def test_refused(text: str, says: str) -> None:
    with pytest.raises(RemoteRefused, match=says) as caught:
        Remotes().parse(text, place="body.repo_url")
    assert caught.value.errors[0].place == "body.repo_url"
    assert "secret" not in str(caught.value)


# Without what ends the part of an address that a user stands in.
IN_USERS = st.characters(exclude_characters="/?#\\", max_codepoint=0x2FF, min_codepoint=0x21)
USERS = st.text(IN_USERS, max_size=12)


@settings(derandomize=True, database=None, deadline=None, max_examples=300)
@given(
    scheme=st.sampled_from(["https://", "http://", "ssh://", "git://", "HTTPS://", ""]),
    before=USERS,
    after=USERS,
    host=st.sampled_from(["github.com", "127.0.0.1", "[::1]", "[", "github.com:port", "ä.de", ""]),
    path=st.sampled_from(["/a/b", ":a/b", "/", "", "/a?x=1", "/a#x"]),
)
@example(scheme="https://", before="", after="", host="github.com", path="/a/b")
@example(scheme="https://", before="a:", after="@b", host="github.com", path="/a/b")
@example(scheme="https://", before="a:", after="%\u017f", host="github.com", path="/a/b")
def test_a_password_is_never_taken_nor_said(
    scheme: str, before: str, after: str, host: str, path: str
) -> None:
    text = f"{scheme}{before}hunter2{after}@{host}{path}"
    try:
        taken = Remotes().parse(text, is_owner=True).url
    except RemoteRefused as refused:
        taken = f"{refused} {refused.errors}"
    assert "hunter2" not in taken


def test_folders_on_the_machine(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "shut").mkdir()
    (tmp_path / "open" / "link").symlink_to(tmp_path / "shut")
    remotes = Remotes(folders=(tmp_path / "open",))
    assert remotes.parse(f"{tmp_path}/open/a.git").url == f"file://{tmp_path}/open/a.git"
    for path in ("shut/a.git", "open/../shut", "open/link", "openly/a.git"):
        with pytest.raises(RemoteRefused):
            remotes.parse(f"{tmp_path}/{path}")
    assert remotes.parse(f"{tmp_path}/shut/a.git", is_owner=True).is_local


async def test_unencrypted_only_inside() -> None:
    remotes = Remotes(networks=parse_networks(["10.0.0.0/8"]))
    with pytest.raises(RemoteRefused, match="takes https://"):
        await remotes.access(remotes.parse("http://198.41.0.4/owner/name"))
    access = await remotes.access(remotes.parse("http://10.1.2.3/owner/name"))
    assert ("http.curloptResolve", "10.1.2.3:80:10.1.2.3") in access.settings


async def test_unknown_host() -> None:
    remotes = Remotes()
    with pytest.raises(RemoteUnreachable, match=r"no-such-host\.invalid cannot be found"):
        await remotes.access(remotes.parse("https://no-such-host.invalid/owner/name"))


async def test_tokens_of_the_settings() -> None:
    settings = Settings(
        github_token=SecretStr("ghp_1"),
        git_tokens=SecretStr("198.41.0.4=oauth2:gl=1, 198.41.0.4:8443=plain"),
        _env_file=None,
    )
    remotes = Remotes.of(settings)
    assert set(remotes.tokens) == {"github.com", "198.41.0.4", "198.41.0.4:8443"}
    access = await remotes.access(remotes.parse("https://198.41.0.4/a/b"))
    assert access.secrets[0] == "gl=1"
    assert access.settings[-1] == (
        "http.https://198.41.0.4/.extraHeader",
        "Authorization: Basic b2F1dGgyOmdsPTE=",
    )
    other = await remotes.access(remotes.parse("https://198.41.0.4:444/a/b"))
    assert not other.secrets


@pytest.mark.parametrize(
    "wrong",
    [
        {"git_tokens": "only-a-token"},
        {"git_tokens": "https://host=token"},
        {"git_local_remotes": "relative/path"},
        {"git_allowed_networks": "example.com"},
        {"github_url": "github.com"},
        {"github_api_url": "https://user:pw@host"},
    ],
)
def test_settings_with_a_wrong_value(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="takes"):
        Settings(_env_file=None, **wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_nothing_in_assays_own_folder_is_a_remote(tmp_path: Path) -> None:
    settings = Settings(assay_home=tmp_path / "home", _env_file=None)
    inside = tmp_path / "home" / "sandboxes" / "one" / "work"
    inside.mkdir(parents=True)
    (tmp_path / "link").symlink_to(inside)
    for path in (inside, tmp_path / "link"):
        with pytest.raises(RemoteRefused, match="ASSAY_HOME"):
            Remotes.of(settings).parse(str(path), is_owner=True)
    assert Remotes.of(settings).parse(str(tmp_path), is_owner=True).url == f"file://{tmp_path}"
