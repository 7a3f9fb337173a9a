"""What output schemas are among what is kept in versions, whose rules are in `apps.versioned`."""

from assay.apps.defaults import Defaults
from assay.apps.schemas.models import AppSchema
from assay.apps.versioned import Kind
from assay.core.errors import NotFound


class AppSchemaNotFound(NotFound):
    """There is no schema with this id."""


SCHEMAS = Kind(AppSchema, "app_schema", AppSchemaNotFound, Defaults.schemas)
