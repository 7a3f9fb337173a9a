"""The table of prompts."""

from sqlalchemy.orm import Mapped

from assay.apps.columns import LongText, Str20
from assay.apps.versioned import Versioned


class AppPrompt(Versioned):
    """One version of a prompt that an app sends to models."""

    __tablename__ = "prompts"

    prompt: Mapped[LongText]
    # For what comes from this source alone; null for all.
    source_type: Mapped[Str20 | None]
