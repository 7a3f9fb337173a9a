"""The whole way of a change: mirror, sandbox, commits, back into the mirror, push."""

from uuid import uuid4

from tests.agents.git.repositories import Origin, git
from tests.agents.git.shells import shell

from assay.agents.git import clones
from assay.agents.git.mirrors import Mirrors
from assay.agents.git.pushing import push, remote_sha
from assay.agents.git.receiving import receive
from assay.agents.git.remotes import Remote
from assay.agents.git.seeds import make_seed
from assay.agents.sandboxes.providers.types import Sandbox

AGENT = clones.Author("Ada", "ada@agents.example.com")


async def test_round(origin: Origin, mirrors: Mirrors, remote: Remote, sandbox: Sandbox) -> None:
    base = await mirrors.refresh(remote)
    assert (base.branch, base.sha) == ("main", origin.sha("main"))
    seed = await make_seed(mirrors, remote, base)
    await clones.clone_into(sandbox, seed, "assay/1-fix", AGENT)
    assert await clones.head(sandbox) == base.sha
    assert await clones.take_commits(sandbox, base.sha) is None
    assert await clones.commit_all(sandbox, "Nothing", AGENT) is None

    await shell(sandbox, "echo more >> README.md; mkdir docs; echo new > docs/new.md")
    seen = await clones.diff(sandbox, base.sha)
    assert "+more" in seen
    assert "docs/new.md" in seen
    assert "?? docs/" in await clones.status(sandbox)
    sha = await clones.commit_all(sandbox, "Say more\n\nAnd why.", AGENT)
    assert sha == await clones.head(sandbox)
    content = await clones.take_commits(sandbox, base.sha)
    assert content is not None
    received = await receive(mirrors, remote, content, uuid4(), base.sha)
    assert received.head_sha == sha
    assert [commit.subject for commit in received.commits] == ["Say more"]
    assert received.commits[0].author == "Ada <ada@agents.example.com>"

    await push(mirrors, remote, received.head_sha, "assay/1-fix", None)
    assert await remote_sha(mirrors, remote, "assay/1-fix") == sha
    shown = git("show", "-s", "--format=%an|%ce|%b", "assay/1-fix", at=origin.path)
    assert shown == "Ada|ada@agents.example.com|And why."
