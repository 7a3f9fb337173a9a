"""What prompts are among what is kept in versions, whose rules are in `apps.versioned`."""

from assay.apps.defaults import Defaults
from assay.apps.prompts.models import AppPrompt
from assay.apps.versioned import Kind
from assay.core.errors import NotFound


class AppPromptNotFound(NotFound):
    """There is no prompt with this id."""


PROMPTS = Kind(AppPrompt, "app_prompt", AppPromptNotFound, Defaults.prompts)
