"""The table of output schemas."""

from sqlalchemy.orm import Mapped

from assay.apps.versioned import Versioned
from assay.core.database import Json


class AppSchema(Versioned):
    """One version of a JSON Schema that a model's answer has to conform to."""

    __tablename__ = "schemas"

    schema_data: Mapped[Json]
