"""Output that is cut in the middle: its beginning and its end say the most."""


class CutOutput:
    """Keeps the head and the tail of what is written, in bounded memory.

    `dropped` is the number of bytes between them that were left out.
    """

    def __init__(self, most: int) -> None:
        """`most`: the bytes that are kept, half of them for the head."""
        self._head_room = most // 2
        self._tail_room = most - self._head_room
        self._head = bytearray()
        self._tail = bytearray()
        self.dropped = 0
        self.total = 0

    def add(self, piece: bytes) -> None:
        """Take what was written next."""
        self.total += len(piece)
        room = self._head_room - len(self._head)
        self._head += piece[:room]
        self._tail += piece[room:]
        # Twice the room, so that a long tail is not moved with each piece.
        if len(self._tail) > 2 * self._tail_room:
            self._trim()

    def output(self) -> bytes:
        """The head and the tail, with a line between them that says how much is missing."""
        self._trim()
        if not self.dropped:
            return bytes(self._head + self._tail)
        note = f"\n[... {self.dropped} bytes left out ...]\n".encode()
        return bytes(self._head) + note + bytes(self._tail)

    def _trim(self) -> None:
        excess = len(self._tail) - self._tail_room
        if excess > 0:
            del self._tail[:excess]
            self.dropped += excess
