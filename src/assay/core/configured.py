"""The settings of the server that a request came to."""

from typing import Annotated, cast

from fastapi import Depends, Request

from assay.core.config import Settings


def _settings(request: Request) -> Settings:
    return cast("Settings", request.app.state.settings)


Configured = Annotated[Settings, Depends(_settings)]
