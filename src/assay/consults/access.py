"""Who may see, ask and answer.

A key does what its owner may, as far as its scopes go; but it answers nothing, since what a
program may decide by itself needs no person.
"""

from typing import Annotated

from fastapi import Depends

from assay.identity.access import Guard
from assay.identity.actor import Actor, Role, Scope

Reader = Annotated[Actor, Depends(Guard(Role.viewer, Scope.consults_read))]
Asker = Annotated[Actor, Depends(Guard(Role.viewer, Scope.consults_write))]
Reviewer = Annotated[Actor, Depends(Guard(Role.reviewer, None, people_only=True))]
