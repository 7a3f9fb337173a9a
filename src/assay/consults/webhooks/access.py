"""What keeps a key of one project from what webhooks tell of all."""

from assay.core.errors import Forbidden
from assay.identity.actor import Actor


class KeyOfOneProject(Forbidden):
    """Webhooks tell of requests in all projects, and this API key is for one."""

    code = "key_of_one_project"


def require_all_projects(actor: Actor) -> None:
    """Let in who is not bound to one project.

    Raises:
        KeyOfOneProject
    """
    if actor.project_id is not None:
        raise KeyOfOneProject
