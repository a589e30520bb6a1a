"""How long a call may take and how much an answer may hold. Each number can be made small in a test."""

from dataclasses import dataclass, replace

_MINUTE_S = 60.0
_HOUR_S = 60 * _MINUTE_S
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Wait:
    """How long one kind of call may take.

    Attributes:
        answer_s: seconds from the last byte of the request to the first of the answer.
        total_s: seconds in all, connecting and the whole answer included.
    """

    answer_s: float
    total_s: float


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of everything that a client waits for or reads.

    Attributes:
        connect_s: seconds until there is a connection, TLS included.
        chunk_s: the longest silence, in seconds, in an answer that has begun.
        least_rate_bytes_s: a transfer below this many bytes a second, over `rate_window_s` seconds of waiting for
            the network, has stalled.
        read, change, long_change, uplink, downlink: how long each kind of call may take. `long_change` is what
            builds or loads an image; a downlink's file is hashed over there before its first byte.
        answer_bytes: the most bytes of an answer that is no listing and no file.
        listing_bytes: the most bytes of a listing; a volume of 100,000 files is about 15 MB.
    """

    connect_s: float = 10.0
    chunk_s: float = 30.0
    least_rate_bytes_s: int = 1024
    rate_window_s: float = 60.0
    read: Wait = Wait(30.0, 5 * _MINUTE_S)
    change: Wait = Wait(5 * _MINUTE_S, 10 * _MINUTE_S)
    long_change: Wait = Wait(_HOUR_S, _HOUR_S)
    uplink: Wait = Wait(10 * _MINUTE_S, 24 * _HOUR_S)
    downlink: Wait = Wait(5 * _MINUTE_S, 24 * _HOUR_S)
    answer_bytes: int = 4 * _MIB
    listing_bytes: int = 256 * _MIB

    def within(self, give_up_s: float | None) -> "Limits":
        """The same for somebody who gives up on an absent side after `give_up_s` seconds, None for never. What has
        begun to answer, or changes something over there, has its time nevertheless."""
        if give_up_s is None:
            return self
        read = replace(self.read, answer_s=min(self.read.answer_s, give_up_s))
        return replace(self, connect_s=min(self.connect_s, give_up_s), read=read)
