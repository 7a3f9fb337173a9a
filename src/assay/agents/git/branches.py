"""Names of branches."""

import re
import unicodedata
from uuid import UUID

from assay.agents.git.errors import BranchInvalid

MAX_BRANCH = 200
_MAX_SLUG = 50
# What git refuses in names of references, see git-check-ref-format.
_REFUSED = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|^[./-]|[./]$")


def branch_name(task_id: UUID, title: str) -> str:
    """The branch of a task: `assay/<8 digits of the task>-<slug of the title>`.

    The digits are the last ones of the id: those at its front are the time, which tasks of the
    same minute share.
    """
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_MAX_SLUG].strip("-")
    return f"assay/{task_id.hex[-8:]}-{slug or 'task'}"


def check_branch(name: str) -> str:
    """The name, if it is one that a branch can have.

    Raises:
        BranchInvalid: it is not.
    """
    encodable = name.encode(errors="replace").decode() == name
    if not name or len(name) > MAX_BRANCH or _REFUSED.search(name) or name in ("@", "HEAD"):
        encodable = False
    if not encodable:
        raise BranchInvalid(
            f"{name[:MAX_BRANCH]!r} is not the name of a branch: it has up to {MAX_BRANCH} "
            "characters, no spaces, none of ~^:?*[\\, no '..', and begins with a letter or digit."
        )
    return name
