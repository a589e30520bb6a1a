"""Socket.IO packets as both sides read and write them: bounded, and with JSON that may be deep.

The library's own reader ends a call without a word where a packet cannot be read, takes any number of attachments,
and lets the other side call the handlers of `connect` and `disconnect`.
"""

from types import SimpleNamespace
from typing import Any

from socketio.packet import ACK, BINARY_ACK, BINARY_EVENT, EVENT, Packet  # type: ignore[import-untyped]

from emtui.wire.deep_json import loads
from emtui.wire.grid import json_text


class Unreadable:
    """Stands where an answer or an event was that is no JSON, or none of Socket.IO."""


UNREADABLE = Unreadable()

MAX_ATTACHMENTS = 4
"""A model may come as bytes, which is one attachment; nothing else has any."""

_RESERVED = ("connect", "disconnect")


def _dumps(value: Any, **_: Any) -> str:
    return json_text(value)


class GridPacket(Packet):  # type: ignore[misc]  # the library has no types
    """A Socket.IO packet. Give it to a client or a server as its `serializer`."""

    packet_type: int
    id: int | None
    data: Any

    json = SimpleNamespace(dumps=_dumps, loads=loads)

    def __init__(self, *args: Any, encoded_packet: Any = None, **named: Any) -> None:
        super().__init__(*args, encoded_packet=encoded_packet, **named)
        if encoded_packet is not None and not encoded_packet:  # not even its type
            self._ignore()

    def _ignore(self) -> None:
        """Become an answer to nothing."""
        self.packet_type, self.id, self.data = ACK, None, []

    def decode(self, encoded_packet: Any) -> int:
        """Read a packet's text, and say how many attachments follow it. It never raises.

        What an answer or an event holds that cannot be read is `UNREADABLE` in its place; what is no packet at all
        becomes an answer to nothing, which is ignored.
        """
        try:
            count = int(super().decode(encoded_packet) or 0)
        except (ValueError, TypeError, RecursionError):  # TypeError: bytes that follow no packet
            count = 0
            self.data = UNREADABLE
        if count > MAX_ATTACHMENTS or self.packet_type not in range(BINARY_ACK + 1):
            count = 0
            self._ignore()
        elif self.packet_type in (EVENT, BINARY_EVENT) and not _is_event(self.data):
            self.data = [UNREADABLE]
        elif self.packet_type in (ACK, BINARY_ACK) and not isinstance(self.data, list):
            self.data = [] if self.data is None else [UNREADABLE]
        elif self.data is UNREADABLE:
            self.data = None
        if count == 0 and self.packet_type in (BINARY_EVENT, BINARY_ACK):
            self.packet_type = EVENT if self.packet_type == BINARY_EVENT else ACK
        return count

    @classmethod
    def reconstruct_binary(cls, data: Any, attachments: list[bytes]) -> Any:
        """Put the attachments where they belong."""
        try:
            return super().reconstruct_binary(data, attachments)
        except (LookupError, TypeError, RecursionError):
            return [UNREADABLE]


def _is_event(data: object) -> bool:
    return isinstance(data, list) and bool(data) and isinstance(data[0], str) and data[0] not in _RESERVED
