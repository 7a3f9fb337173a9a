"""What the files of resources share."""

from assay.client.asynchronous.transport import AsyncTransport


class AsyncResource:
    """A group of calls about one kind of thing."""

    def __init__(self, transport: AsyncTransport) -> None:
        """Send calls by `transport`."""
        self._transport = transport
