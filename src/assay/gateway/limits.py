"""Where the slots of a provider come from."""

from typing import Protocol

from assay.gateway.slots import Slots


class Limits(Protocol):
    """Gives the slots of a scope, such as `provider:openai`."""

    def slots(self, scope: str, limit: int) -> Slots:
        """The one `Slots` of `scope`; `limit` is what all who share the scope may use together."""
        ...

    async def forget(self, scope: str) -> None:
        """A scope that is not needed again, such as an ended run's."""
        ...


class LocalLimits:
    """Limits held in this process alone."""

    def __init__(self) -> None:
        self._slots: dict[str, Slots] = {}

    def slots(self, scope: str, limit: int) -> Slots:
        """The one `Slots` of `scope` in this process, made with `limit` when first asked for."""
        if scope not in self._slots:
            self._slots[scope] = Slots(limit)
        return self._slots[scope]

    async def forget(self, scope: str) -> None:
        """Drop the slots of `scope`."""
        self._slots.pop(scope, None)
