# Written by `make client` from assay/client/asynchronous/resource.py: change that.

"""What the files of resources share."""

from assay.client.synchronous.transport import Transport


class Resource:
    """A group of calls about one kind of thing."""

    def __init__(self, transport: Transport) -> None:
        """Send calls by `transport`."""
        self._transport = transport
